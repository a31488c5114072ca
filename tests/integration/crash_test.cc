// The verifier is killed between receiving evidence and answering, at random moments, again and
// again: no violation may be lost, none doubled.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "core/handle.h"
#include "tests/integration/agent_stream.h"
#include "tests/integration/moment.h"
#include "tests/integration/operator_client.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr int kRounds = ASSAY_CRASH_ROUNDS;
// So many that the notifications of none reach the bound from which on they are summed up.
constexpr std::size_t kNodes = 8;
constexpr int kMaxUnknownFiles = 3;  // of one round
// From the end of an answer to the kill. A commit takes about a millisecond: half of the kills are
// meant to hit it, the others what comes after.
constexpr unsigned kMaxDelaysUs[] = {2'000, 30'000};
constexpr unsigned kSeed = 20'261;

using Clock = std::chrono::steady_clock;

// How the kills fell: what the database knew afterwards.
struct Kills {
  int before_commit = 0;
  int after_commit = 0;
  int nothing_new = 0;  // the answer held no new entry: it cannot be seen
};

struct Node {
  std::string name;
  SimulatedNode machine = {};
  std::set<std::int64_t> unknown_entries = {};
  std::uint64_t proven = 0;  // entries, as the last challenge had it
  std::uint64_t sent = 0;    // entries, all that the last answer held
};

// Sorts the last kill after an answer of `node` by what the verifier still knows.
void sort_kill(Node& node, const v1::Challenge& challenge, Kills& kills) {
  const std::uint64_t known = challenge.first_entry();
  const bool all_or_nothing = known == node.proven || known == node.sent;
  REQUIRE(all_or_nothing);
  if (node.sent == node.proven) {
    ++kills.nothing_new;
  } else {
    ++(known == node.sent ? kills.after_commit : kills.before_commit);
  }
  node.proven = known;
  node.sent = node.machine.log().entries();
}

// Connects a node and lets it answer. Gives the stream, on which the outcome is to come.
std::unique_ptr<AgentStream> answer_once(const RunningVerifier& verifier, Node& node,
                                         Kills& kills) {
  auto stream = std::make_unique<AgentStream>(connect(verifier));
  REQUIRE(stream->join(node.machine));
  const auto challenge = stream->challenge();
  REQUIRE(challenge.has_value());
  sort_kill(node, *challenge, kills);
  REQUIRE(stream->answer(*challenge, node.machine));
  return stream;
}

void run_unknown_files(Node& node, int count) {
  for (int i = 0; i < count; ++i) {
    const auto entry = static_cast<std::int64_t>(node.machine.log().entries());
    node.unknown_entries.insert(entry);
    const std::string name = node.name + '/' + std::to_string(entry);
    node.machine.run("/evil/" + name, "evil " + name);
  }
}

class Rows {
 public:
  explicit Rows(const std::filesystem::path& database) {
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
    database_.reset(raw);
  }

  // Calls `row` with the columns of each row, as text.
  void each(const char* sql, const std::function<void(const std::vector<std::string>&)>& row) {
    sqlite3_stmt* raw = nullptr;
    REQUIRE(sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr) == SQLITE_OK);
    const Handle<sqlite3_stmt, sqlite3_finalize> statement(raw);
    while (sqlite3_step(raw) == SQLITE_ROW) {
      std::vector<std::string> columns;
      for (int i = 0; i < sqlite3_column_count(raw); ++i) {
        const unsigned char* text = sqlite3_column_text(raw, i);
        columns.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
      }
      row(columns);
    }
  }

 private:
  Handle<sqlite3, sqlite3_close> database_;
};

// Every unknown file is one violation, and nothing else is.
std::set<std::int64_t> check_violations(Rows& rows, const std::vector<Node>& nodes) {
  std::map<std::string, std::multiset<std::int64_t>> found;
  std::set<std::int64_t> ids;
  rows.each(
      "SELECT n.name, v.entry, v.id, v.fault FROM violations v JOIN nodes n ON n.id = v.node_id",
      [&](const std::vector<std::string>& row) {
        found[row[0]].insert(std::stoll(row[1]));
        ids.insert(std::stoll(row[2]));
        CHECK(row[3] == "ima.unknown_digest");
      });
  for (const Node& node : nodes) {
    CAPTURE(node.name);
    CHECK(std::ranges::equal(found[node.name], node.unknown_entries));
  }
  return ids;
}

// Every violation waits to be told of once, under a message id of its own.
void check_outbox(Rows& rows, const std::set<std::int64_t>& violations) {
  std::multiset<std::int64_t> told;
  std::set<std::string> message_ids;
  std::size_t messages = 0;
  rows.each("SELECT type, payload, message_id FROM outbox",
            [&](const std::vector<std::string>& row) {
              ++messages;
              message_ids.insert(row[2]);
              CHECK(row[0] != "assay.violation.summary");
              if (row[0] != "assay.violation.detected") return;
              told.insert(nlohmann::json::parse(row[1])["data"]["id"].get<std::int64_t>());
            });
  CHECK(std::ranges::equal(told, violations));
  CHECK(message_ids.size() == messages);
}

}  // namespace

TEST_CASE("assay-verifier: killed at random moments, it loses no violation and doubles none") {
  RunningVerifier verifier({.more = "webhooks:\n  - {name: closed, url: 'http://127.0.0.1:" +
                                    std::to_string(free_port()) + "/', secret_file: secret}",
                            .files = {{"secret", "whsec_" + to_base64(Bytes(32, 7))}}});
  std::vector<Node> nodes;
  {
    const OperatorClient operators(verifier);
    operators.push_golden("host", {"good"});
    for (std::size_t i = 0; i < kNodes; ++i) {
      nodes.push_back({.name = std::to_string(i)});
      operators.enrol(nodes.back().name, nodes.back().machine.tpm().ak_public());
    }
  }
  std::mt19937 random(kSeed);
  Kills kills;
  std::vector<std::int64_t> start_ms;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    Node& node = nodes[random() % kNodes];
    run_unknown_files(node, static_cast<int>(random() % (kMaxUnknownFiles + 1)));
    const auto stream = answer_once(verifier, node, kills);
    const unsigned max_delay_us = kMaxDelaysUs[random() % std::size(kMaxDelaysUs)];
    pass(std::chrono::microseconds(random() % (max_delay_us + 1)));
    verifier.kill();
    const auto start = Clock::now();
    verifier.start();
    start_ms.push_back(
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
  }
  for (Node& node : nodes) {
    const auto stream = answer_once(verifier, node, kills);
    CHECK(stream->outcome().has_value());
  }
  CHECK(verifier.stop() == 0);

  Rows rows(verifier.database());
  const std::set<std::int64_t> violations = check_violations(rows, nodes);
  check_outbox(rows, violations);
  std::ranges::sort(start_ms);
  MESSAGE(kRounds << " kills: " << kills.before_commit << " before the commit, "
                  << kills.after_commit << " after it, " << kills.nothing_new
                  << " with nothing new; " << violations.size() << " violations; median start "
                  << start_ms[start_ms.size() / 2] << " ms");
  CHECK(kills.before_commit > 0);
  CHECK(kills.after_commit > 0);
}
