import Scenarios

extension Scenario {
    /// The scenario with these of its faults and with nothing that only served the others: no step waits for what is gone, no
    /// window refers to it, no point is named that nothing names.
    /// - Parameter origin: the steps as they were before any fault was put in; if steps were made for a fault, they go with it.
    func keeping(_ kept: [Fault], origin: [Step]? = nil) -> Scenario {
        var scenario = self
        scenario.faults = kept
        let names = Set(kept.map(\.name))
        let gone = Set(faults.map(\.name)).subtracting(names)
        if let origin, !Self.awaited(in: steps).intersection(gone).isSubset(of: Self.awaited(in: origin)) {
            scenario.steps = origin
        }
        // A hold that would wait in vain goes too, and perhaps others with it.
        var count: Int
        repeat {
            count = scenario.faults.count
            let known = scenario.known
            scenario.faults.removeAll { fault in
                if case .hold(let until, _) = fault.action { !known.contains(until) } else { false }
            }
        } while scenario.faults.count < count
        let there = Set(scenario.faults.map(\.name) + points.map(\.name))
        scenario.steps.removeAll { step in
            if case .wait(.reached(let name)) = step.action { !there.contains(name) } else { false }
        }
        let known = scenario.known
        for index in scenario.faults.indices {
            guard var point = scenario.faults[index].point else { continue }
            point.window.forget(allBut: known)
            scenario.faults[index].trigger = .point(point)
        }
        for index in scenario.points.indices { scenario.points[index].point.window.forget(allBut: known) }
        scenario.dropUnnamedPoints()
        return scenario
    }

    private var known: Set<String> { Set(faults.map(\.name) + points.map(\.name) + steps.map(\.name)) }

    private static func awaited(in steps: [Step]) -> Set<String> {
        Set(
            steps.compactMap { step in
                if case .wait(.reached(let name)) = step.action { name } else { nil }
            })
    }

    /// Every name that a fault or a step refers to.
    var referred: Set<String> {
        let holds = faults.compactMap { fault in
            if case .hold(let until, _) = fault.action { until } else { nil }
        }
        let windows = faults.compactMap(\.point?.window)
        return Self.awaited(in: steps).union(holds).union(windows.flatMap { [$0.after, $0.before].compactMap(\.self) })
    }

    private mutating func dropUnnamedPoints() {
        var named = referred
        // A point may refer to another one.
        for _ in points {
            for point in points where named.contains(point.name) {
                named.formUnion([point.point.window.after, point.point.window.before].compactMap(\.self))
            }
        }
        points.removeAll { !named.contains($0.name) }
    }
}

extension Point.Window {
    fileprivate mutating func forget(allBut known: Set<String>) {
        if let after, !known.contains(after) { self.after = nil }
        if let before, !known.contains(before) { self.before = nil }
    }
}
