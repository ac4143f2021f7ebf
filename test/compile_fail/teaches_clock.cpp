// teaches: clock_policy, monotonic
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Bad {
    Timestamp now() const { return {}; }
#ifdef FIXED
    Instant monotonic() const { return {}; }
#endif
    bool sleep_until(Instant, const std::stop_token&) const { return true; }
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Accounts, TableRing, SimTransport, SimFileSync, Bad> replicator(
        Settings(), broker, ring, transport, files, Bad{}, everywhere);
#else
    Replicator replicator(Settings(), broker, ring, transport, files, Bad{}, everywhere);
#endif
    replicator.run_once();
}

int main() {}
