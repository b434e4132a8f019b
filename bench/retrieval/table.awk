# what|case|size|value|recall|short|remark, a line each measurement: medians, ratios and the bars.
function median(list, n,   i, j, t) {
    for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
# The median over the rounds of a measurement, or of its ratio to another's in the same round; -1 when there is none.
function of(what, to,   r, n, list) {
    delete list
    n = 0
    for (r = 1; r <= count[what]; r++)
        if (to == "") list[++n] = value[what, r]
        else if (r <= count[to] && value[to, r] > 0) list[++n] = value[what, r] / value[to, r]
    return n ? median(list, n) : -1
}
function met(is, bar, low) { return (low ? is <= bar : is >= bar) ? "met" : "NOT MET" }
function line(label, is, form, bar, low) {
    if (is < 0) return
    printf "%-86s " form "   %s %-8s %s\n", label, is, low ? "<=" : ">=", bar, met(is, bar, low)
}
function tell(label, is, form) { if (is >= 0) printf "%-86s " form "\n", label, is }
{
    key = $1 "|" $2 "|" $3
    value[key, ++count[key]] = $4
    if (!(key in recall) || $5 < recall[key]) recall[key] = $5
    short[key] += $6
    if ($7 != "") remark[key] = $7
    if (!seen[$2 "|" $3]++) places[++n_places] = $2 "|" $3
    if (!named[$1]++) names[++n_names] = $1
}
END {
    stores["wvectors_chunks"] = "the vector store"
    stores["wboth_chunks"] = "both stores"
    printf "%-10s %8s  %-22s %12s %8s %8s %10s\n", "case", "chunks", "", "p50 us", "recall", "short", "to ours"
    for (p = 1; p <= n_places; p++) {
        at = places[p]
        if (!(("ours|" at) in count)) continue
        split(at, part, "|")
        for (n = 1; n <= n_names; n++) {
            key = names[n] "|" at
            if (!(key in count) || names[n] ~ /^(insert|space|A )/) continue
            printf "%-10s %8s  %-22s %12.1f %8.3f %8d %10.2f  %s\n", part[1], part[2], names[n], of(key), recall[key], short[key], of(key, "ours|" at), remark[key]
        }
    }
    printf "\n"
    for (p = 1; p <= n_places; p++) {
        at = places[p]; ours = "ours|" at
        if (!(ours in count)) continue
        split(at, part, "|")
        text = part[1] ", " part[2] " chunks: "
        line(text "recall@10", recall[ours], "%10.4f", 0.999)
        line(text "searches that returned too few rows", short[ours], "%10d", 0, 1)
        faster = of("exact|" at, ours)
        # The bars are those of 384 dimensions, where vectors lie outside of their rows.
        if (part[1] == "words" || part[2] < 3000) tell(text "times faster than exact by btree", faster, "%10.1f")
        else line(text "times faster than exact by btree", faster, "%10.1f", part[2] >= 100000 ? 30 : 100)
        tell(text "the same where each tenant's rows lie together", of("exact, contiguous|" at, ours), "%10.1f")
        if (part[2] >= 100000) line(text "times the time of HNSW of this tenant alone", of(ours, "HNSW partial|" at), "%10.2f", 1, 1)
        if (part[2] >= 10000) line(text "times the time of a bare int8 loop", of(ours, "int8 loop|" at), "%10.2f", 2, 1)
        tell(text "our scan in memory to the bare int8 loop", of("our scan in memory|" at, "int8 loop|" at), "%10.2f")
        tell(text "as the server answers to our scan in memory", of(ours, "our scan in memory|" at), "%10.2f")
        line(text "as the application to as the owner", of("as app|" at, "as owner|" at), "%10.2f", 1.1, 1)
    }
    for (p = 1; p <= n_places; p++) {
        split(places[p], part, "|")
        at = places[p]
        if (("space|" at) in count) line(part[1] ": bytes of the store to those of the vectors", of("space|" at), "%10.3f", 0.35, 1)
        tell(part[1] ": with the room that was left free while loading", of("space of the file|" at), "%10.3f")
        for (store in stores) {
            if (!(("insert one " store "|" at) in count)) continue
            line("insert of one chunk, " stores[store] ", to the table without an index", of("insert one " store "|" at, "insert one bench.bare|" at), "%10.2f", 1.5, 1)
            line("insert of one chunk, HNSW to " stores[store], of("insert one bench.graph|" at, "insert one " store "|" at), "%10.1f", 10)
            line("insert of 10,000 chunks, " stores[store] ", to the table without an index", of("insert 10000 " store "|" at, "insert 10000 bench.bare|" at), "%10.2f", 1.5, 1)
            line("insert of 10,000 chunks, HNSW to " stores[store], of("insert 10000 bench.graph|" at, "insert 10000 " store "|" at), "%10.1f", 10)
        }
        if (("planning|" at) in count) {
            line(part[2] " tenants: planning of a search, ms", of("planning|" at), "%10.3f", 0.2, 1)
            line(part[2] " tenants: locks of a search", of("locks|" at), "%10d", 12, 1)
        }
        if (("same|" at) in count) {
            line("A's answer is bit-identical when B has 100 times as much", of("same|" at), "%10d", 1)
            line("A's time, to before", of("A after|" at, "A before|" at), "%10.2f", 1.1, 1)
        }
    }
}
