// teaches: transport_policy, send
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Bad {
    struct To {
        Device target;
        const Device& device() const { return target; }
#ifdef FIXED
        Result<Reply> send(const Request&, Instant, const std::stop_token&) { return Reply{}; }
#endif
    };
    To peer(const Device& device) const { return {device}; }
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Accounts, TableRing, Bad, SimFileSync, SimClock> replicator(
        Settings(), broker, ring, Bad{}, files, clock, everywhere);
#else
    Replicator replicator(Settings(), broker, ring, Bad{}, files, clock, everywhere);
#endif
    replicator.run_once();
}

int main() {}
