#ifndef REPLICA_TEST_SIM_QUEUES_HPP
#define REPLICA_TEST_SIM_QUEUES_HPP

// The reconciler's queues in a simulated world: containers that no client knows. Once all is at
// rest, every row that lies under another policy than its container has is in a queue.

#include "autopsy.hpp"
#include "losses.hpp"
#include "nemesis.hpp"
#include "world.hpp"
#include <replica/container/queue_entry.hpp>
#include <replica/words/hash_path.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class QueueCheck {
public:
    using Known = typename World<Kind>::Known;

    QueueCheck(World<Kind>& world, const Nemesis<Kind>& nemesis, const Losses<Kind>& losses)
        : world_(world), nemesis_(nemesis), losses_(losses) {}

    /// The queues that lie on any machine. They are judged like other databases.
    [[nodiscard]] static std::vector<Known> all(const std::vector<Autopsy<Kind>>& found) {
        std::map<std::string, Known> queues;
        for (const auto& each : found) {
            for (const auto& copy : each.copies) {
                if (copy.info.account == reconciler::account) {
                    Known queue;
                    queue.info.account = copy.info.account;
                    queue.hash = hash_of(copy.info);
                    if constexpr (requires { queue.info.container; }) {
                        queue.info.container = copy.info.container;
                    }
                    queues.emplace(queue.hash, queue);
                }
            }
        }
        std::vector<Known> result;
        for (auto& [hash, queue] : queues) {
            result.push_back(std::move(queue));
        }
        return result;
    }

    /// All misplaced rows of `copy` are queued. Throws Violation.
    void require_queued(const std::vector<Autopsy<Kind>>& found, const Copy<Kind>& copy,
                        const std::string& where) const {
        if constexpr (requires { copy.info.storage_policy_index; }) {
            for (const auto& row : copy.rows) {
                if (row.storage_policy_index != copy.info.storage_policy_index) {
                    require_queued(found, row, *reconciler::root_path(copy.info), where);
                }
            }
        }
    }

private:
    [[nodiscard]] static std::string hash_of(const typename Kind::info_type& info) {
        return HashPath{"", "changeme"}(info.name());
    }

    template <class Row>
    void require_queued(const std::vector<Autopsy<Kind>>& found, const Row& row,
                        const std::string& root, const std::string& where) const {
        typename Kind::info_type queue;
        queue.account = reconciler::account;
        queue.container = *reconciler::queue_name(row.created_at);
        const std::string hash = hash_of(queue);
        const Row queued = reconciler::queue_row(row, root);
        const std::string key = key_of(queued);
        const Version version = version_of(queued);
        if (is_held(found, hash, &Copy<Kind>::versions, key, version)) {
            world_.marks("a misplaced row is queued");
            return;
        }
        if (nemesis_.lost_entries().contains({hash, key}) || losses_.has(hash, key, version)) {
            world_.marks("excused: an entry of a queue was lost with all its copies");
            return;
        }
        throw Violation(where + ": " + row.name + " is misplaced and not in the queue " +
                        queue.container);
    }

    World<Kind>& world_;
    const Nemesis<Kind>& nemesis_;
    const Losses<Kind>& losses_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_QUEUES_HPP
