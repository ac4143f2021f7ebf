#ifndef REPLICA_TEST_LAWS_FILE_SYNC_HPP
#define REPLICA_TEST_LAWS_FILE_SYNC_HPP

// What every FileSync must do. Include after the definition of BOOST_TEST_MODULE.

#include <replica/error.hpp>
#include <replica/file_sync.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <concepts>
#include <stop_token>
#include <string>
#include <vector>

namespace replica::test {

/// What a test of a model knows about both ends.
template <class W>
concept FileSyncWorld = requires(W world, const std::string& text) {
    { world.device() } -> std::same_as<Device>;                  // one that takes files
    { world.out_of_reach() } -> std::same_as<Device>;            // one that does not
    { world.now() } -> std::same_as<Instant>;                    // on the model's clock
    { world.source(text) } -> Source;                            // a file with this content
    { world.missing() } -> Source;                               // a file that is not there
    { world.names() } -> std::same_as<std::vector<std::string>>; // in the device's tmp, sorted
    { world.content(text) } -> std::same_as<std::string>;        // of one of them
};

/// A file is delivered whole, under its name and no other.
template <FileSync F>
void check_delivery(F& files, FileSyncWorld auto& world) {
    const Instant later = world.now() + std::chrono::seconds(30);
    std::string all_bytes;
    for (int i = 0; i < 300'000; ++i) {
        all_bytes += static_cast<char>(i % 251);
    }
    std::vector<std::string> expected;
    for (const std::string& content : {std::string("one"), std::string(), all_bytes}) {
        const std::string name = "0b9bf4b1-2f06-" + std::to_string(expected.size()) + "-sdb1";
        auto source = world.source(content);
        const auto sent = files.send(source, Upload{world.device(), name, false, true}, later, {});
        BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().what);
        BOOST_TEST(sent->bytes == static_cast<std::int64_t>(content.size()));
        expected.push_back(name);
        BOOST_TEST(world.names() == expected, boost::test_tools::per_element());
        BOOST_TEST((world.content(name) == content));
    }
    // Once more over what lies there: only the difference need travel, the result is the new file.
    std::string changed = all_bytes;
    changed[150'000] = 'x';
    auto source = world.source(changed);
    const auto sent =
        files.send(source, Upload{world.device(), expected.back(), true, false}, later, {});
    BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().what);
    BOOST_TEST((world.content(expected.back()) == changed));
    BOOST_TEST(world.names() == expected, boost::test_tools::per_element());
}

/// A fault has the right code, names the target, leaves nothing and is no exception.
template <FileSync F>
void check_refusals(F& files, FileSyncWorld auto& world) {
    const Instant later = world.now() + std::chrono::seconds(30);
    const auto before = world.names();
    auto source = world.source("content");
    auto missing = world.missing();
    std::stop_source stopped;
    stopped.request_stop();
    const auto refused = [&](const Result<Sent>& sent, const Upload& upload) {
        BOOST_REQUIRE(sent.has_error());
        BOOST_TEST_MESSAGE("  " << sent.error().what);
        BOOST_TEST(sent.error().what.find(upload.target.device) != std::string::npos);
        BOOST_TEST(world.names() == before, boost::test_tools::per_element());
        return sent.error().code;
    };
    const Upload upload{world.device(), "refused", false, true};
    BOOST_TEST((refused(files.send(source, upload, world.now(), {}), upload) == Error::timed_out));
    BOOST_TEST((refused(files.send(source, upload, later, stopped.get_token()), upload) ==
                Error::stopped));
    BOOST_TEST(refused(files.send(missing, upload, later, {}), upload).failed());
    const Upload away{world.out_of_reach(), "refused", false, true};
    BOOST_TEST(refused(files.send(source, away, later, {}), away).failed());
    for (const std::string name : {"", ".", "..", "../escaped", "a/b", "/tmp/a", ".hidden"}) {
        const Upload unsafe{world.device(), name, false, true};
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST((refused(files.send(source, unsafe, later, {}), unsafe) == Error::bad_name));
        }
    }
}

/// Runs all laws. The device's tmp must be empty or absent.
template <FileSync F>
void check_file_sync_laws(F files, FileSyncWorld auto& world) {
    BOOST_TEST(world.names().empty());
    check_delivery(files, world);
    check_refusals(files, world);
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_FILE_SYNC_HPP
