#ifndef REPLICA_TEST_SUPPORT_SIM_STORE_HPP
#define REPLICA_TEST_SUPPORT_SIM_STORE_HPP

// The databases of one simulated node as values without SQLite, for a Cluster: how they are made,
// looked at without a pass, and broken.

#include <replica/sim/broker.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class SimStore {
public:
    using Broker = SimBroker<Kind>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;
    using State = typename Broker::State;

    SimStore(const SimDisk& disk, const SimClock& clock, std::size_t node)
        : broker_(disk, clock, "node" + std::to_string(node)) {}

    [[nodiscard]] const Broker& broker() const { return broker_; }

    [[nodiscard]] std::shared_ptr<const State> state(const std::string& path) const {
        return broker_.peek(path);
    }
    [[nodiscard]] bool has(const std::string& path) { return state(path) != nullptr; }
    [[nodiscard]] Info info(const std::string& path) { return state(path)->info(); }
    [[nodiscard]] std::vector<Row> stored(const std::string& path) {
        std::vector<Row> rows;
        for (const auto& [rowid, row] : state(path)->rows) {
            rows.push_back(row);
        }
        return rows;
    }
    [[nodiscard]] bool is_sound(const std::string& path) {
        const auto now = state(path);
        return now->hash == now->computed_hash();
    }

    void damage(const std::string& path, Error error) { broker_.damage(path, error); }

    void lose(const std::string& path, const std::string& row) {
        State state = *this->state(path);
        const auto found = std::ranges::find_if(
            state.rows, [&](const auto& each) { return each.second.name == row; });
        BOOST_REQUIRE((found != state.rows.end()));
        state.index.erase(sim::RowTraits<Row>::key(found->second));
        state.rows.erase(found);
        state.hash = state.computed_hash();
        ++state.version;
        broker_.disk().write(path, sim::content_of(std::move(state)));
    }

    void put_pending(const std::string& path, const Row& row) { broker_.put_pending(path, {row}); }

    void reported(const std::string& path) {
        State state = *this->state(path);
        state.stat.reported_put_timestamp = state.stat.put_timestamp;
        state.stat.reported_delete_timestamp = state.stat.delete_timestamp;
        broker_.disk().write(path, sim::content_of(std::move(state)));
    }

private:
    Broker broker_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SIM_STORE_HPP
