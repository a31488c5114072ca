#include "cli/codec.h"

#include <doctest/doctest.h>

#include "assay/v1/golden.pb.h"
#include "assay/v1/operator.pb.h"

using namespace assay;

TEST_CASE("to_json: a node that has never shown anything says so with nulls") {
  CHECK(to_json(v1::Node()).dump() ==
        "{\"name\":\"\",\"state\":\"\",\"state_since\":null,\"connected\":false,"
        "\"last_verified_at\":null,\"proven_entries\":0,\"reset_count\":0,\"open_violations\":0,"
        "\"ak_fingerprint\":\"\",\"ek_id\":null,\"manufacturer\":null,\"admitted_by\":\"\","
        "\"class\":\"\","
        "\"re_enrol_until\":null,\"last_rejection\":null,\"last_rejected_at\":null,\"faults\":[],"
        "\"faults_total\":0}");
}

TEST_CASE("to_json: a golden set's summary") {
  v1::GoldenSummary set;
  set.set_name("host");
  set.set_digest("sha256:ab");
  set.set_generation(2);
  set.set_files(3);
  set.set_hashes(4);
  set.set_source("rootfs");
  set.set_pushed_at_ms(1);
  set.set_pushed_by("token:ci");
  set.add_signed_by("sha256:cd");
  set.set_state("superseded");
  set.set_state_since_ms(2);
  set.set_state_by("operator");
  set.set_golden_until_ms(3);
  set.set_approved_by("alice");
  set.set_approved_at_ms(4);
  CHECK(
      to_json(set).dump() ==
      "{\"name\":\"host\",\"digest\":\"sha256:ab\",\"generation\":2,\"files\":3,\"hashes\":4,"
      "\"signers\":0,"
      "\"source\":\"rootfs\",\"pushed_at\":\"1970-01-01T00:00:00.001Z\",\"pushed_by\":\"token:ci\","
      "\"signed_by\":[\"sha256:cd\"],\"state\":\"superseded\","
      "\"state_since\":\"1970-01-01T00:00:00.002Z\",\"state_by\":\"operator\",\"reason\":null,"
      "\"golden_until\":\"1970-01-01T00:00:00.003Z\","
      "\"approved_by\":\"alice\",\"approved_at\":\"1970-01-01T00:00:00.004Z\"}");
}

TEST_CASE("row_of: entry 0 is an entry, and no entry is none") {
  v1::Violation violation;
  CHECK_FALSE(row_of(violation).entry.has_value());
  violation.mutable_fault()->set_entry(0);
  CHECK(row_of(violation).entry == 0);
}

TEST_CASE("describe: what a verifier sends cannot reach the terminal as it is") {
  v1::Node node;
  node.set_name("\x1b[2J");
  node.set_last_rejection("a\nb");
  v1::Violation violation;
  violation.set_acknowledgement("\x1b]0;title\x07");
  violation.mutable_fault()->set_detail("\x1b[31m");
  for (const std::string& text : {describe(node), describe(violation)}) {
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\\x1b") != std::string::npos);
  }
}
