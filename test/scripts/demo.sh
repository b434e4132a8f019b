# The demo runs, runs again, and shows what it promises.
. test/scripts/tap.sh
export DEMO_CLUSTER=test-demo
trap 'scripts/cluster drop test-demo >/dev/null 2>&1; rm -f build/test-demo.env' EXIT

refuses "an unknown argument" "unknown argument '--fast'" scripts/demo --fast
refuses "a shell before the first demo" "run 'make demo' first" scripts/demo --psql
ok "it runs" bash -c "scripts/demo >'$work/first' 2>&1 || { cat '$work/first'; exit 1; }"
begin=$SECONDS
ok "it runs again" bash -c "scripts/demo >'$work/second' 2>&1 || { cat '$work/second'; exit 1; }"
ok "with nothing to build within 30 seconds" test $((SECONDS - begin)) -lt 30

shows() { ok "it shows $1" grep -qE -- "$2" "$work/second"; }
shows "the organization" 'organization library has id'
shows "the first tenant's texts" 'stored [0-9]+ documents .* for tenant gnu '
shows "the second tenant's texts" 'stored [0-9]+ documents .* for tenant others '
shows "search by embedding" 'search --tenant gnu --mode match'
shows "hybrid search" 'search --tenant others --mode hybrid'
shows "search by words" 'search --tenant others --mode keyword'
shows "that neither sees the other's" '^ *no results$'
shows "that nothing is read without a tenant" 'ERROR:  TN001: no tenant is set'
shows "a refused attack" 'ERROR:  42501: permission denied to set parameter "tenancy.tenant_id"'
shows "a sealed context" 'ERROR:  TN003: context is sealed'
shows "what to type next" '^  make psql '
ok "it prints no colours into a file" bash -c "! grep -q \$'\\e' '$work/second'"

lists() {
    [[ $(scripts/demo --psql <<<"BEGIN; SELECT tenancy.set_tenant('gnu') \\g /dev/null
        SELECT 'title ' || title FROM documents; COMMIT;" 2>&1 | grep -c '^ title ') -gt 3 ]]
}
ok "its shell is the application's, on its database" lists
own_tool() { (. build/test-demo.env && tenancyctl status) | grep -q '^role  *app'; }
ok "its environment file serves tenancyctl" own_tool
ok "it stops" scripts/demo --stop
refuses "a stopped server has no url" 'is not running' scripts/cluster url test-demo

finish
