// teaches: ring_policy, primaries
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Bad {
    struct None {
        std::optional<Device> next() { return {}; }
    };
    Bad version() const { return *this; }
    std::vector<Device> devices() const { return {}; }
    std::uint32_t partition_count() const { return 1; }
    std::uint32_t partition(std::string_view) const { return 0; }
#ifdef FIXED
    std::vector<Device> primaries(std::uint32_t) const { return {}; }
#endif
    None handoffs(std::uint32_t) const { return {}; }
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Accounts, Bad, SimTransport, SimFileSync, SimClock> replicator(
        Settings(), broker, Bad{}, transport, files, clock, everywhere);
#else
    Replicator replicator(Settings(), broker, Bad{}, transport, files, clock, everywhere);
#endif
    replicator.run_once();
}

int main() {}
