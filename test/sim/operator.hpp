#ifndef REPLICA_TEST_SIM_OPERATOR_HPP
#define REPLICA_TEST_SIM_OPERATOR_HPP

// An operator of a simulated machine, who brings something back that was removed, replaced or put
// into quarantine (daemon --undo), beside all that runs there.

#include "world.hpp"
#include <replica/error.hpp>
#include <replica/receive/restore.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/hash_path.hpp>

#include <optional>
#include <string>
#include <vector>

namespace replica::test {

/// Brings one of those back that lie on the device at the path `device`.
template <class Kind>
void bring_one_back(World<Kind>& world, typename World<Kind>::Machine& machine,
                    const std::string& device) {
    typename World<Kind>::Program tool("operator", machine.disk, machine.clock,
                                       world.random.next());
    const HashPath hash_path{machine.settings.hash_path_prefix, machine.settings.hash_path_suffix};
    try {
        auto entries = storage::list_trash(machine.disk, device);
        for (auto& each : list_quarantine(tool.broker, device)) {
            entries.push_back(std::move(each));
        }
        std::erase_if(entries, [&](const storage::TrashEntry& each) {
            return each.path.find('/' + std::string(Kind::name) + "s/") == std::string::npos;
        });
        if (entries.empty()) {
            return;
        }
        const auto& entry = entries[world.pick(entries.size())];
        restore(tool.broker, entry, device, machine.ring.version().partition(entry.hash), hash_path,
                world.random, machine.settings);
        world.marks("undone: " + entry.why);
    } catch (const Failure& failure) {
        world.marks("not undone: " + failure.code().message());
    }
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_OPERATOR_HPP
