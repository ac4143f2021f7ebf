// build error: 'files\.send\(.*\)' does not satisfy|same_as<replica::Sent, .*result<replica::Sent
#include <replica/file_sync.hpp>

// Failures of a transfer are results: a replicator goes on to the next peer.
struct Copies {
#ifdef FIXED
    using Answer = replica::Result<replica::Sent>;
#else
    using Answer = replica::Sent;
#endif
    Answer send(replica::Source auto&, const replica::Upload&, replica::Instant, std::stop_token) {
        return replica::Sent{};
    }
};

void push(replica::FileSync auto files) {
    replica::AnySource source;
    static_cast<void>(files.send(source, {}, {}, {}));
}

int main() {
    push(Copies{});
}
