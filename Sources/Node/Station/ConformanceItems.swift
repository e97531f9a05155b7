internal import Foundation

/// Actions of every kind that schemas, OPTIONS and OpenAPI know, for the end-to-end tests.
enum ConformanceItems {
    struct Item: Codable, Sendable {
        enum Kind: String, Codable, CaseIterable { case thing, place }

        let name: String
        let kind: Kind
        let price: Double?
        let made: Date?
        let tags: [String]
        let parts: [Item]?
    }

    struct Filter: Codable, Sendable {
        let kind: Item.Kind?
        let limit: Int
        let isSold: Bool?
    }

    static func install(on station: Station) {
        station.action(.put, "/items/:id", body: Item.self) { item, _, _, _ in item }
        station.action(.get, "/items", query: Filter.self) { filter, _, _, _ in filter }
        station.action(.patch, "/items/:item", query: Filter.self, body: [Item].self) {
            filter, items, request, _, reply in
            reply.content(["limit": filter.limit, "count": items.count])
            reply.content(["id": request.params["item"]])
        }
        station.action(.post, "/items", requires: [.loggedIn, .domestic], body: Item.self) { item, _, _, _ in item }
        station.action(
            .post, "/raw",
            options: ActionOptions(
                bodySchema: ##"""
                    {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"word": {"type": "string",
                    "pattern": "^[a-z]+$"}}, "type": "object", "properties": {"words": {"type": "array", "maxItems": 3,
                    "items": {"$ref": "#/$defs/word"}}}, "required": ["words"], "additionalProperties": false}
                    """##)
        ) { request, _, reply in
            if case .json(let value) = request.body { reply.content(value) }
        }
        station.action(.get, "/files/*path") { request, _, reply in reply.content(["path": request.params["path"]]) }
        station.action(.get, .pattern("/years/(?<year>[0-9]{4})(?:/([a-z]+))?")) { request, _, reply in
            reply.content(request.params)
        }
        station.action(nil, "/any") { request, _, reply in reply.content(["method": request.method.rawValue]) }
        station.action("PURGE", "/items", requires: .identified) { _, _, _ in }
        station.action(.get, "/secret", options: ActionOptions(isHidden: true)) { _, _, _ in }
        station.action(
            .post, "/shy", options: ActionOptions(bodySchema: ["type": "integer"], hidesSchema: true)
        ) { _, _, _ in }
    }
}
