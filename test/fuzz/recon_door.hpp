#ifndef REPLICA_TEST_FUZZ_RECON_DOOR_HPP
#define REPLICA_TEST_FUZZ_RECON_DOOR_HPP

// The recon page that a sender reads from a stock peer, and the recon file that we share with stock
// daemons. A page that was cut off mounts no device. A file that was read is written as JSON again,
// with all that the others had in it.

#include "door.hpp"
#include <replica/daemon/recon.hpp>
#include <replica/send/refusal.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

namespace replica::fuzz {

struct ReconDoor {
    void operator()(std::string_view input) const {
        const std::string page(input);
        if (detail::listed_as_mounted(page, "sdb1")) {
            const auto last = page.find_last_not_of(" \t\r\n");
            require(!detail::listed_as_mounted(page.substr(0, last), "sdb1"),
                    "a page that was cut off mounts a device");
            require(!detail::listed_as_mounted("[" + page + "]", "sdb1"),
                    "a device is mounted in a list of lists");
        }
        boost::system::error_code code;
        const auto value = boost::json::parse(page, code);
        if (code || !value.is_object()) {
            return;
        }
        boost::json::object cache = value.get_object();
        daemon::merge_recon(cache, {{"ours", 1.5}, {"gone", boost::json::object{}}});
        std::string text;
        daemon::append_sorted(text, cache);
        require(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }),
                "a recon file is not ASCII");
        const auto again = boost::json::parse(text, code);
        require(!code && again.is_object(), "a recon file that is no JSON: " + text);
        require(same(again, cache), "a recon file does not round-trip: " + text);
        require(!again.get_object().contains("gone") && again.at("ours") == 1.5,
                "what was written is not there");
    }

private:
    /// The parser may round a number to its neighbour, and takes 0e999 for NaN.
    [[nodiscard]] static bool same(const boost::json::value& a, const boost::json::value& b) {
        if (a.is_array() && b.is_array()) {
            return std::ranges::equal(a.get_array(), b.get_array(), same);
        }
        if (a.is_object() && b.is_object()) {
            return a.get_object().size() == b.get_object().size() &&
                   std::ranges::all_of(a.get_object(), [&](const auto& member) {
                       const auto* const other = b.get_object().if_contains(member.key());
                       return other != nullptr && same(member.value(), *other);
                   });
        }
        if (a.is_double() && b.is_double()) {
            const double x = a.get_double();
            const double y = b.get_double();
            return x == y || (x == 0 && std::isnan(y)) || std::abs(x - y) <= 1e-14 * std::abs(y);
        }
        return a == b;
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_RECON_DOOR_HPP
