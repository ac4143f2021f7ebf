#ifndef REPLICA_SIM_POWER_CUT_HPP
#define REPLICA_SIM_POWER_CUT_HPP

// What a power cut leaves of a file system. The cut that loses all that was not synced is one of
// very many, and often a kind one: a kernel may have written any part of it. Each name and each
// sector is decided on its own; both names of a rename are decided together.

#include <replica/sim/node.hpp>
#include <replica/words/random.hpp>

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
    explicit SimPowerCut(Random& random) : random_(&random) {}

    /// Takes in everything below, whether its names are durable or not yet.
    void add(const SimNode::Pointer& node) {
        if (!seen_.insert(node.get()).second) {
            return;
        }
        add_content(*node);
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

    /// Once, after everything was added.
    void decide() {
        std::map<std::size_t, bool> kept;
        const std::size_t all = random_->next() % 5; // as in SimChanges::survivor
        for (std::size_t at = 0; at < changes_.size(); ++at) {
            const std::size_t step = first_of(at);
            if (!kept.contains(step)) {
                kept[step] = all == 0 || (all > 1 && random_->next() % 2 == 0);
            }
            if (kept[step]) {
                keep(changes_[at]);
            }
        }
    }

private:
    /// A name that leads elsewhere after a crash.
    struct Change {
        SimNode::Pointer directory;
        std::string name;
        SimNode::Pointer before; // null: none
        SimNode::Pointer after;
    };

    [[nodiscard]] static SimNode::Pointer child(const SimNode::Entries& entries,
                                                const std::string& name) {
        const auto found = entries.find(name);
        return found == entries.end() ? nullptr : found->second;
    }

    void add_content(SimNode& node) {
        if (!node.changes.empty()) {
            node.durable_content =
                SimContent::of(node.changes.survivor(node.durable_content.bytes, *random_));
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

    Random* random_;
    std::set<const SimNode*> seen_; // by address: only asked, never walked
    std::map<const SimNode*, std::size_t> users_;
    std::vector<Change> changes_;
    std::vector<std::size_t> steps_; // of each change another of the same step, or itself
};

} // namespace replica

#endif // REPLICA_SIM_POWER_CUT_HPP
