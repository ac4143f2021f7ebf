#ifndef REPLICA_SIM_POWER_CUT_HPP
#define REPLICA_SIM_POWER_CUT_HPP

// What a power cut leaves of a file system. The cut that loses all that was not synced is one of
// very many, and often a kind one: a kernel may have written any part of it. Each name and each
// sector is decided on its own; both names of a rename are decided together.

#include <replica/sim/chooser.hpp>
#include <replica/sim/node.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Decides what was written in time, and makes that durable. SimNode::crash() does the rest.
class SimPowerCut {
public:
    /// A name that leads elsewhere after a crash, if that is lost.
    struct Change {
        SimNode::Pointer directory;
        std::string name;
        SimNode::Pointer before; // null: none
        SimNode::Pointer after;
    };

    /// Names that change together: those of a rename or of an exchange.
    using Step = std::vector<Change>;

    /// Takes in everything below, whether its names are durable or not yet.
    void add(const SimNode::Pointer& node) {
        if (!seen_.insert(node.get()).second) {
            return;
        }
        nodes_.push_back(node);
        std::set<std::string> names;
        for (const auto* entries : {&node->entries, &node->durable_entries}) {
            for (const auto& [name, child] : *entries) {
                names.insert(name);
                add(child);
            }
        }
        for (const std::string& name : names) {
            add_name(node, name);
        }
    }

    /// What happened to names since they were synced, each step lost or kept as a whole.
    [[nodiscard]] std::vector<Step> steps() const {
        std::vector<Step> steps;
        std::map<std::size_t, std::size_t> places; // of the first change of a step
        for (std::size_t at = 0; at < changes_.size(); ++at) {
            const auto [place, is_new] = places.emplace(first_of(at), steps.size());
            if (is_new) {
                steps.emplace_back();
            }
            steps[place->second].push_back(changes_[at]);
        }
        return steps;
    }

    /// Once, after everything was added.
    template <SimChooser C>
    void decide(C& chooser) {
        for (const SimNode::Pointer& node : nodes_) {
            decide_content(*node, chooser);
        }
        const auto all = chooser.all();
        for (const Step& step : steps()) {
            if (all ? *all : chooser.choose(2) == 1) {
                std::ranges::for_each(step, &SimPowerCut::keep);
            }
        }
    }

private:
    [[nodiscard]] static SimNode::Pointer child(const SimNode::Entries& entries,
                                                const std::string& name) {
        const auto found = entries.find(name);
        return found == entries.end() ? nullptr : found->second;
    }

    template <SimChooser C>
    static void decide_content(SimNode& node, C& chooser) {
        if (!node.changes.empty()) {
            node.durable_content =
                SimContent::of(node.changes.survivor(node.durable_content.bytes, chooser));
        }
    }

    /// Two names that share a file are the two ends of a rename, or of an exchange.
    void add_name(const SimNode::Pointer& directory, const std::string& name) {
        Change change{directory, name, child(directory->durable_entries, name),
                      child(directory->entries, name)};
        if (change.before == change.after) {
            return;
        }
        const std::size_t at = changes_.size();
        steps_.push_back(at);
        for (const SimNode* node : {change.before.get(), change.after.get()}) {
            if (node != nullptr) {
                const auto [other, is_new] = users_.emplace(node, at);
                steps_[first_of(at)] = first_of(other->second);
            }
        }
        changes_.push_back(std::move(change));
    }

    [[nodiscard]] std::size_t first_of(std::size_t at) const {
        while (steps_[at] != at) {
            at = steps_[at];
        }
        return at;
    }

    static void keep(const Change& change) {
        if (!change.after) {
            change.directory->durable_entries.erase(change.name);
            return;
        }
        change.directory->durable_entries[change.name] = change.after;
        change.after->home = change.directory;
        change.after->home_name = change.name;
    }

    std::set<const SimNode*> seen_; // by address: only asked, never walked
    std::vector<SimNode::Pointer> nodes_;
    std::map<const SimNode*, std::size_t> users_;
    std::vector<Change> changes_;
    std::vector<std::size_t> steps_; // of each change another of the same step, or itself
};

} // namespace replica

#endif // REPLICA_SIM_POWER_CUT_HPP
