#include "uploads.hpp"

#define BOOST_TEST_MODULE sim_uploads
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

namespace {

using namespace replica;
using namespace std::chrono_literals;
using test::UploadWatch;
using test::Violation;

/// A process that sends one database to one peer.
struct Sender {
    UploadWatch watch;
    UploadWatch::Key key{"vfs1", "10.0.0.2:6201", "/srv/node/sda/x.db"};
    Instant now{};

    void ask(const std::string& file) {
        watch.begin(key, "sync", file, now);
        watch.end(key, "sync", file, Reply{}, now);
    }
    void finish(const std::string& file, const Result<Reply>& reply) {
        watch.begin(key, "complete_rsync", file, now);
        watch.end(key, "complete_rsync", file, reply, now);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(after_a_finish_without_an_answer_no_other_file_goes_there_for_a_while) {
    for (const Error error : {Error::timed_out, Error::connection_lost}) {
        Sender sender;
        sender.ask("none");
        sender.finish("none", Fault{error, "no answer"});
        sender.ask("none");
        sender.now += 19s;
        BOOST_CHECK_THROW(sender.finish("none", Reply{}), Violation);
        sender.now += 1s; // twice node_timeout
        BOOST_CHECK_NO_THROW(sender.finish("none", Reply{}));
    }
}

BOOST_AUTO_TEST_CASE(a_finish_that_was_answered_or_never_arrived_holds_nothing_back) {
    for (const Result<Reply>& known :
         {Result<Reply>(Reply{}), Result<Reply>(Fault{Error::connect_failed, "nobody is there"})}) {
        Sender sender;
        sender.ask("none");
        sender.finish("none", known);
        sender.ask("none");
        BOOST_CHECK_NO_THROW(sender.finish("none", Reply{}));
    }
}

BOOST_AUTO_TEST_CASE(once_the_peer_has_another_file_the_transfer_is_over) {
    Sender sender;
    sender.ask("none");
    sender.finish("none", Fault{Error::timed_out, "no answer"});
    sender.ask("17");
    BOOST_CHECK_NO_THROW(sender.finish("17", Reply{}));
}

BOOST_AUTO_TEST_CASE(another_process_knows_nothing_of_it) {
    Sender sender;
    sender.ask("none");
    sender.finish("none", Fault{Error::timed_out, "no answer"});
    sender.key = {"vfs2", "10.0.0.2:6201", "/srv/node/sda/x.db"};
    sender.ask("none");
    BOOST_CHECK_NO_THROW(sender.finish("none", Reply{}));
}
