#include <replica/daemon/forgetting.hpp>

#define BOOST_TEST_MODULE daemon_forgetting
#include <boost/test/unit_test.hpp>

#include <support/service_facts.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::daemon;
using support::at;
using support::Counting;
using support::device;
using support::OnAll;

namespace {

/// A ring whose file may change, or be broken.
struct File {
    std::vector<Device> devices;
    bool broken = false;
    int looks = 0;
};

struct FileRing {
    std::shared_ptr<File> file;
    OnAll version() {
        ++file->looks;
        if (file->broken) {
            throw Failure(Error::bad_config, "no ring");
        }
        return {file->devices};
    }
};

struct Service {
    const Device here = device("10.0.0.1", "sda");
    const Device peer = device("10.0.0.2", "sdb");
    const std::string path = "/srv/node/sda/containers/1/abc/hash/hash.db";
    const std::shared_ptr<File> file = std::make_shared<File>(File{{here, peer}});
    const Facts facts{"container", "/srv/node", at(0)};
    const Counting counting;
    const ForgettingObserver<Counting, FileRing> observer{counting, facts, FileRing{file}};

    Service() { facts.note(event::PeerEnded{path, peer, false, 12, 10}, at(1)); }

    [[nodiscard]] bool knows_the_peer() const {
        return facts.now(at(9)).peers.contains("10.0.0.2:6201/sdb");
    }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(who_left_the_ring_is_forgotten_when_a_pass_begins, Service) {
    observer(event::PassBegan{at(2), 1});
    BOOST_TEST(knows_the_peer());
    file->devices = {here};
    BOOST_TEST(knows_the_peer());
    observer(event::PassBegan{at(3), 1});
    BOOST_TEST(!knows_the_peer());
    BOOST_TEST(file->looks == 2);
    BOOST_TEST(*counting.heard == 2);
}

BOOST_FIXTURE_TEST_CASE(no_other_event_and_no_page_looks_at_the_ring, Service) {
    const auto copy = observer;
    copy(event::PeerEnded{path, peer, true, 12, 12});
    copy(event::PushesEnded{{}, Seconds(1)});
    (void)facts.now(at(5));
    BOOST_TEST(file->looks == 0);
    BOOST_TEST(*counting.heard == 2);
}

BOOST_FIXTURE_TEST_CASE(of_a_ring_that_cannot_be_read_nothing_is_forgotten, Service) {
    file->broken = true;
    BOOST_CHECK_NO_THROW(observer(event::PassBegan{at(2), 1}));
    BOOST_TEST(knows_the_peer());
    BOOST_TEST(*counting.heard == 1);
    file->broken = false;
    file->devices = {here};
    observer(event::PassBegan{at(3), 1});
    BOOST_TEST(!knows_the_peer());
}

static_assert(Observer<ForgettingObserver<Counting, FileRing>>);
