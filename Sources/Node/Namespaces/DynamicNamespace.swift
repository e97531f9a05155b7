/// Namespaces whose names clients choose, as far as the application lets them (SOCKETIO §11.4): handlers are registered once
/// for all of them. To send to one, name it: ``Station/namespace(_:)``.
public struct DynamicNamespace: NamespaceRegistering {
    private let station: Station
    private let index: Int

    init(_ station: Station, index: Int) {
        self.station = station
        self.index = index
    }

    public var registrar: NamespaceRegistrar {
        let (station, index) = (self.station, self.index)
        return NamespaceRegistrar(station) { station.registerPattern(index, $0) }
    }
}
