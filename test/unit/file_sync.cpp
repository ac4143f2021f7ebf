#include <replica/file_sync.hpp>

#define BOOST_TEST_MODULE file_sync
#include <replica/words/hash_path.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/file_sync.hpp>

#include <map>
#include <memory>

using namespace replica;

namespace {

/// Files that exist only here. A path is the content itself.
struct TextSource {
    std::string content;
    bool there = true;
    [[nodiscard]] std::string path() const { return content; }
    void copy_to(const std::string&, Instant) const {}
};

/// The smallest model that keeps the laws.
struct MapFileSync {
    std::shared_ptr<std::map<std::string, std::string>> tmp;
    Instant now;

    Result<Sent> send(TextSource& source, const Upload& upload, Instant deadline,
                      const std::stop_token& stop) const {
        const auto fault = [&](Error error) { return Fault{error, upload.target.device}; };
        if (!is_safe_name(upload.name)) {
            return fault(Error::bad_name);
        }
        if (stop.stop_requested()) {
            return fault(Error::stopped);
        }
        if (now >= deadline) {
            return fault(Error::timed_out);
        }
        if (!source.there || upload.target.device != "sdb1") {
            return fault(Error::missing);
        }
        (*tmp)[upload.name] = source.content;
        return Sent{.bytes = static_cast<std::int64_t>(source.content.size())};
    }
    // The concept asks for any source; this model knows one kind and the concept's own.
    Result<Sent> send(AnySource&, const Upload&, Instant, const std::stop_token&) const {
        return Fault{Error::missing, "nothing to send"};
    }
};

struct World {
    std::shared_ptr<std::map<std::string, std::string>> tmp =
        std::make_shared<std::map<std::string, std::string>>();
    [[nodiscard]] static Device named(const char* name) {
        Device device;
        device.device = name;
        return device;
    }
    [[nodiscard]] Device device() const { return named("sdb1"); }
    [[nodiscard]] Device out_of_reach() const { return named("sdz9"); }
    [[nodiscard]] Instant now() const { return Instant(std::chrono::hours(1)); }
    [[nodiscard]] TextSource source(const std::string& content) const { return {content}; }
    [[nodiscard]] TextSource missing() const { return {"", false}; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& [name, content] : *tmp) {
            found.push_back(name);
        }
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const { return tmp->at(name); }
};

/// One type for each way to miss a concept by a little.
struct Pathless {
    void copy_to(const std::string&, Instant) const {}
};
struct Endless {
    std::string path() const { return {}; }
    void copy_to(const std::string&) const {} // a copy must know when to give up
};
struct NumberedSource {
    int path() const { return 0; }
    void copy_to(const std::string&, Instant) const {}
};
static_assert(Source<TextSource>);
static_assert(!Source<Pathless>);
static_assert(!Source<Endless>);
static_assert(!Source<NumberedSource>);

struct Throws {
    Sent send(AnySource&, const Upload&, Instant, const std::stop_token&) const { return {}; }
};
struct Unstoppable {
    Result<Sent> send(AnySource&, const Upload&, Instant) const { return Sent{}; }
};
struct ByPathOnly {
    Result<Sent> send(const std::string&, const Upload&, Instant, std::stop_token) const {
        return Sent{};
    }
};
static_assert(FileSync<MapFileSync>);
static_assert(!FileSync<Throws>);
static_assert(!FileSync<Unstoppable>);
static_assert(!FileSync<ByPathOnly>);

} // namespace

BOOST_AUTO_TEST_CASE(a_model_that_fits_on_a_page_keeps_the_laws) {
    World world;
    replica::test::check_file_sync_laws(MapFileSync{world.tmp, world.now()}, world);
}

BOOST_AUTO_TEST_CASE(an_upload_is_whole_and_near_if_nothing_else_is_said) {
    const Upload upload{World::named("sdb1"), "id"};
    BOOST_TEST(upload.whole_file);
    BOOST_TEST(!upload.different_region);
    BOOST_TEST(Sent{}.bytes == 0);
}
