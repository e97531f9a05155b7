import Foundation
internal import Mustache
internal import NIOCore
internal import Routing

/// Makes the page of an answer (SPEC AC-8, AC-9).
struct PageRenderer: Sendable {
    /// nil: none are registered for all actions.
    let global: Templates?

    /// Gives the answer a page for a requester that prefers one, unless it is a stream, has no body, or nobody has
    /// registered templates for it.
    func render(_ answer: inout ActionAnswer, _ action: Action?, _ agent: Agent?) {
        guard answer.stream == nil, answer.status != 204, answer.status != 304 else { return }
        if let page = answer.html {
            // The handler's own page: whatever it may do, the events are its requester's.
            if !answer.events.isEmpty {
                answer.html = Self.adding(EventScript(answer.events, nonce: Base64URL.random128()), to: page)
            }
            return
        }
        let own = action?.options.templates
        guard let nearest = own ?? self.global else { return }
        let nonce = Base64URL.random128()
        let script = EventScript(answer.events, nonce: nonce)
        var page: String
        if let (template, templates) = self.template(own, answer.status) {
            let context = self.context(answer, own, agent, script, nonce)
            page = template.render(context, library: templates.library)
            // It is there already where the template has placed it; the nonce is no one else's.
            if !answer.events.isEmpty, !page.contains(script.json) { page = Self.adding(script, to: page) }
            answer.contentPolicy = templates.policy.replacingOccurrences(of: "{nonce}", with: nonce)
        } else {
            page = Self.plain(answer, script)
            answer.contentPolicy = nearest.policy.replacingOccurrences(of: "{nonce}", with: nonce)
        }
        answer.html = page
    }

    private func template(_ own: Templates?, _ status: Int) -> (MustacheTemplate, Templates)? {
        for templates in [own, self.global].compactMap(\.self) {
            if let template = templates.template(for: status) { return (template, templates) }
        }
        return nil
    }

    private func context(
        _ answer: ActionAnswer, _ own: Templates?, _ agent: Agent?, _ script: EventScript, _ nonce: String
    ) -> [String: Any] {
        var values = self.global?.defaults ?? [:]
        if let own { values.merge(own.defaults) }
        if case .object = answer.content {
            values.merge(answer.content)
        } else {
            values.merge(["content": answer.content])
        }
        var context = Self.plain(values) as? [String: Any] ?? [:]
        context["agent"] = agent.map(Self.exported) ?? [:]
        context["page"] =
            [
                "status": answer.status, "nonce": nonce, "events": script.json, "script": script.element,
            ] as [String: Any]
        return context
    }

    /// What pages may know of who asks.
    private static func exported(_ agent: Agent) -> [String: Any] {
        var state: [String: Any] = [
            "domain": agent.domain, "standing": agent.standing.rawValue, "isGuest": agent.isGuest,
            "isIdle": agent.isIdle, "isActive": agent.isActive, "isDomestic": agent.isDomestic,
        ]
        state["user"] = agent.user
        state["client"] = agent.client
        return state
    }

    /// As Mustache takes values: `NSNull` is nothing to it, and hides what is further out.
    private static func plain(_ value: JSONValue) -> Any {
        switch value {
        case .null: NSNull()
        case .bool(let value): value
        case .int(let value): value
        case .double(let value): value
        case .string(let value): value
        case .array(let values): values.map { self.plain($0) }
        case .object(let members): members.mapValues { self.plain($0) }
        }
    }

    private static func plain(_ answer: ActionAnswer, _ script: EventScript) -> String {
        var content = ByteBuffer()
        answer.content.write(to: &content)
        let text = String(buffer: content).reduce(into: "") { text, character in
            switch character {
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "&": text += "&amp;"
            default: text.append(character)
            }
        }
        return
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>\(answer.status)</title></head>\n"
            + "<body><pre>\(text)</pre>\n\(answer.events.isEmpty ? "" : script.element)</body></html>\n"
    }

    /// Before the end of the body, or at the end.
    private static func adding(_ script: EventScript, to page: String) -> String {
        var page = page
        let place = page.range(of: "</body>", options: [.backwards, .caseInsensitive])?.lowerBound ?? page.endIndex
        page.insert(contentsOf: script.element, at: place)
        return page
    }
}
