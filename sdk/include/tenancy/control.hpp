#pragma once

/// The control plane: who may be where and do what, and how much of it.
#include "tenancy/control/agents.hpp"
#include "tenancy/control/api_keys.hpp"
#include "tenancy/control/audit.hpp"
#include "tenancy/control/calls.hpp"
#include "tenancy/control/conversations.hpp"
#include "tenancy/control/members.hpp"
#include "tenancy/control/organizations.hpp"
#include "tenancy/control/tenants.hpp"
#include "tenancy/control/usage.hpp"
#include "tenancy/control/users.hpp"
