// build error: TraceOf<.*evaluated to false|required for the satisfaction of 'TraceOf<
#include <replica/decorators.hpp>

struct Files {
    replica::Result<replica::Sent> send(replica::Source auto&, const replica::Upload&,
                                        replica::Instant, std::stop_token) {
        return replica::Sent{};
    }
};

int main() {
#ifdef FIXED
    using Seen = replica::Result<replica::Sent>;
#else
    using Seen = replica::Result<replica::Reply>;
#endif
    using What = replica::Upload;
    const auto callback = [](const replica::Device&, const What&, const Seen&) {};
    replica::Traced<Files, decltype(callback)> traced(Files{}, callback);
}
