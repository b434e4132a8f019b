#pragma once

/// Everything of the SDK.
#include "tenancy/connection.hpp"
#include "tenancy/control.hpp"
#include "tenancy/embedder.hpp"
#include "tenancy/errors.hpp"
#include "tenancy/http_embedder.hpp"
#include "tenancy/ids.hpp"
#include "tenancy/ingest.hpp"
#include "tenancy/pool.hpp"
#include "tenancy/search.hpp"
#include "tenancy/session.hpp"
#include "tenancy/transaction.hpp"
#include "tenancy/version.hpp"
#include "tenancy/with_tenant.hpp"
