#include <replica/process/rsync_module.hpp>

#define BOOST_TEST_MODULE process_rsync_module
#include <boost/test/unit_test.hpp>

using namespace replica;

namespace {

Device whole_device() {
    Device device;
    device.id = 4;
    device.region = 2;
    device.zone = 3;
    device.ip = "10.0.0.1";
    device.port = 6201;
    device.replication_ip = "10.1.0.1";
    device.replication_port = 6301;
    device.device = "sdb1";
    device.meta = "rack-7";
    return device;
}

std::string of(std::string_view text, const Device& device = whole_device()) {
    return RsyncModule(text).of(device);
}

std::string refusal(std::string_view text) {
    try {
        static_cast<void>(RsyncModule(text));
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_config));
        return failure.what();
    }
    return "accepted";
}

} // namespace

BOOST_AUTO_TEST_CASE(every_field_of_a_device_can_be_used) {
    BOOST_TEST(of("{ip}") == "10.0.0.1");
    BOOST_TEST(of("{port}") == "6201");
    BOOST_TEST(of("{replication_ip}") == "10.1.0.1");
    BOOST_TEST(of("{replication_port}") == "6301");
    BOOST_TEST(of("{region}") == "2");
    BOOST_TEST(of("{zone}") == "3");
    BOOST_TEST(of("{device}") == "sdb1");
    BOOST_TEST(of("{meta}") == "rack-7");
    BOOST_TEST(of("{meta}{zone}-{zone}{meta}") == "rack-73-3rack-7");
}

BOOST_AUTO_TEST_CASE(the_forms_that_operators_use_come_out_right) {
    BOOST_TEST(of("{replication_ip}::container") == "10.1.0.1::container");
    BOOST_TEST(of("{replication_ip}::container_{device}") == "10.1.0.1::container_sdb1");
    BOOST_TEST(of("{replication_ip}::container{replication_port}") == "10.1.0.1::container6301");
    BOOST_TEST(of("rsync://{ip}:10873/{meta}") == "rsync://10.0.0.1:10873/rack-7");
    BOOST_TEST(of("10.9.9.9::account") == "10.9.9.9::account");
}

BOOST_AUTO_TEST_CASE(an_ipv6_address_gets_brackets_once) {
    Device device = whole_device();
    device.ip = "2001:db8::7";
    device.replication_ip = "[::1]";
    BOOST_TEST(of("{ip}::account", device) == "[2001:db8::7]::account");
    BOOST_TEST(of("{replication_ip}::account", device) == "[::1]::account");
    BOOST_TEST(of("rsync://{ip}:873/account", device) == "rsync://[2001:db8::7]:873/account");
    device.ip = "node.example";
    BOOST_TEST(of("{ip}::account", device) == "node.example::account");
}

BOOST_AUTO_TEST_CASE(slashes_at_the_end_are_cut_also_when_a_field_brings_them) {
    BOOST_TEST(of("{ip}::container/") == "10.0.0.1::container");
    BOOST_TEST(of("{ip}::container//") == "10.0.0.1::container");
    Device device = whole_device();
    device.meta = "a/b/";
    BOOST_TEST(of("{ip}::{meta}", device) == "10.0.0.1::a/b");
    device.meta.clear();
    BOOST_TEST(of("{ip}::c/{meta}", device) == "10.0.0.1::c");
}

BOOST_AUTO_TEST_CASE(doubled_braces_stand_for_themselves) {
    BOOST_TEST(of("{{{device}}}") == "{sdb1}");
    BOOST_TEST(of("{{device}}") == "{device}");
}

BOOST_AUTO_TEST_CASE(a_value_is_never_read_as_a_template) {
    Device device = whole_device();
    device.meta = "{device}";
    BOOST_TEST(of("{ip}::{meta}", device) == "10.0.0.1::{device}");
}

BOOST_AUTO_TEST_CASE(a_wrong_template_is_refused_at_start_and_named) {
    BOOST_TEST(refusal("{ip}::{devise}")
                   .find("rsync_module = {ip}::{devise}: unknown field {devise}; known are ip,") ==
               0U);
    for (const char* text :
         {"{}", "{0}", "{ip!r}", "{port:05d}", "{ip.x}", "{ ip }", "{IP}", "{{{}"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST(refusal(text).find("unknown field") != std::string::npos);
        }
    }
    for (const char* text : {"{", "{ip", "{{{", "{ip}{"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST(refusal(text).find("an opening brace") != std::string::npos);
        }
    }
    for (const char* text : {"}", "{ip}}", "a}b"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST(refusal(text).find("a closing brace") != std::string::npos);
        }
    }
}
