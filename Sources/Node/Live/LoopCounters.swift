/// What a loop counts without touching memory that other loops see; handed to the metrics once a tick.
struct LoopCounters {
    var packetsIn = 0
    var packetsOut = 0
    var unhandledEvents = 0
    var volatileDropped = 0
    var coalesced = 0
}
