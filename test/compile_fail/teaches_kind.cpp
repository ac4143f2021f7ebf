// teaches: kind_policy, may_expire
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Mute : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "mute";
    static constexpr std::string_view datadir = "mutes";
    static constexpr std::uint16_t default_port = 6299;
#ifndef FIXED
    static bool may_expire() = delete; // hides the one that takes an info
#endif
};
struct Bad : Accounts {
    using kind_type = Mute;
    explicit Bad(Accounts broker) : Accounts(std::move(broker)) {}
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Bad, TableRing, SimTransport, SimFileSync, SimClock> replicator(
        Settings(), Bad{broker}, ring, transport, files, clock, everywhere);
#else
    Replicator replicator(Settings(), Bad{broker}, ring, transport, files, clock, everywhere);
#endif
    replicator.run_once();
}

int main() {}
