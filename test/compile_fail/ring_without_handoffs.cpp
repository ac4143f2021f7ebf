// build error: 'ring\.handoffs\(partition\)\.next\(\)' (is|would be) invalid
#include <replica/ring.hpp>

struct One {
    struct Walk {
        std::optional<replica::Device> next() { return {}; }
    };
    std::vector<replica::Device> devices() const { return {}; }
    std::uint32_t partition_count() const { return 1; }
    std::uint32_t partition(std::string_view) const { return 0; }
    std::vector<replica::Device> primaries(std::uint32_t) const { return {}; }
#ifdef FIXED
    Walk handoffs(std::uint32_t) const { return {}; }
#endif
};

void ask(const replica::RingVersion auto& ring) {
    ring.primaries(0);
}

int main() {
    ask(One{});
}
