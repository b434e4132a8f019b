#pragma once

// Files that think, and never talk to PostgreSQL, include this first. It fails the build when postgres.h came before it,
// so that a pure file stays testable without a server.
#ifdef POSTGRES_H
#error "a pure file must not see postgres.h: move what needs the server to a file that includes pg/prelude.hpp"
#endif
