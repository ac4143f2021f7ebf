// build error: 'clock\.monotonic\(\)' (is|would be) invalid
#include <replica/clock.hpp>

struct WallClock {
    replica::Timestamp now() const { return {}; }
#ifdef FIXED
    replica::Instant monotonic() const { return {}; }
#endif
    bool sleep_until(replica::Instant, std::stop_token) const { return true; }
};

void wait(const replica::Clock auto& clock) {
    clock.sleep_until(clock.monotonic(), {});
}

int main() {
    wait(WallClock{});
}
