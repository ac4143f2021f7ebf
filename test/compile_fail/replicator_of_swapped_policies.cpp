// build error: 'transport\.peer\(device\)' (is|would be) invalid
#include <replica/replica.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sqlite/account.hpp>

struct Nowhere {
    struct Walk {
        std::optional<replica::Device> next() { return {}; }
    };
    std::vector<replica::Device> devices() const { return {}; }
    std::uint32_t partition_count() const { return 1; }
    std::uint32_t partition(std::string_view) const { return 0; }
    std::vector<replica::Device> primaries(std::uint32_t) const { return {}; }
    Walk handoffs(std::uint32_t) const { return {}; }
    Nowhere version() const { return {}; }
};

#ifdef FIXED
using Swapped = replica::Replicator<replica::AccountBroker, Nowhere, replica::SimTransport,
                                    replica::SimFileSync, replica::SimClock>;
#else
using Swapped = replica::Replicator<replica::AccountBroker, Nowhere, replica::SimFileSync,
                                    replica::SimTransport, replica::SimClock>;
#endif

int main() {
    return static_cast<int>(sizeof(Swapped)) == 0;
}
