import Synchronization

extension Station {
    /// Takes over what may change while a node runs: ``LiveOptions/acceptRate``, ``LiveOptions/maxDrain`` and
    /// ``LiveOptions/drainSpread``, ``LimitOptions/socketsPerAddress``, ``LimitOptions/unjoinedPerAddress`` and
    /// ``LimitOptions/handshakes``; and reads the files of keys and secrets again that the node was started with. Everything else
    /// stays as it was at the start.
    ///
    /// - Throws: ``StartError`` for a configuration that cannot work, or whose files cannot be read: then nothing has changed.
    ///   ``StationError/notRunning`` before the start and after the end.
    public func reload(_ configuration: Configuration) throws {
        if let complaint = configuration.complaints(readingFiles: true).first { throw complaint }
        try self.current().reload(configuration)
    }
}

extension RunningStation {
    /// The files first, as only they can fail.
    fileprivate func reload(_ configuration: Configuration) throws {
        try self.controlKeys.reload()
        try self.ice.reload()
        try self.keyWatch?.reload()
        self.live.reload(configuration.live)
        self.life.pace.withLock { $0 = ClusterLife.Pace(configuration.live) }
    }
}
