// A policy of one's own: a ring by which each database is on two of three nodes. A policy is a
// plain class with the members that its concept names; nothing is inherited.

#include <replica/sim/machine.hpp>

#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};
using Node = SimMachine<Note>;

// Partition p belongs to nodes p + 1 and p + 2, and the third stands in for either.
struct TwoOfThree {
    struct Rest {
        std::optional<Device> left;
        std::optional<Device> next() { return std::exchange(left, std::nullopt); }
    };
    std::vector<Device> all{Node::device_of(1), Node::device_of(2), Node::device_of(3)};

    TwoOfThree version() const { return *this; } // it never changes
    const std::vector<Device>& devices() const { return all; }
    std::uint32_t partition_count() const { return 2; } // a power of two
    std::uint32_t partition(std::string_view hash) const { return partition_of(hash, 1); }
    std::vector<Device> primaries(std::uint32_t at) const { return {all[at], all[at + 1]}; }
    Rest handoffs(std::uint32_t at) const { return {all[at == 0 ? 2 : 0]}; }
};
static_assert(Ring<TwoOfThree> && RingVersion<TwoOfThree>);

int main() {
    const SimWorld world;
    Node nodes[] = {{world, 1}, {world, 2}, {world, 3}};
    const TwoOfThree ring;
    const auto path = [&](const std::string& name) {
        return Node::Store::path(nodes[0].settings, ring, "sda", name);
    };
    const auto is_on = [&](Node& node, const std::string& name) {
        return node.disk.stat(path(name)).has_value();
    };
    for (const std::string name : {"home", "work", "garden", "travel"}) {
        nodes[1]
            .store.open_or_create(nodes[1].settings, ring, "sda", name)
            .put({"first", "of " + name, 1});
    }
    for (Node& node : nodes) {
        node.pass(ring);
    }
    int faults = 0;
    for (const std::string name : {"home", "work", "garden", "travel"}) {
        const bool first = ring.partition(HashPath{}("/" + name)) == 0;
        std::cout << name << " is on nodes " << (first ? "1 and 2" : "2 and 3") << '\n';
        faults += is_on(nodes[0], name) == first && is_on(nodes[2], name) != first ? 0 : 1;
    }
    return faults;
}
