#include "cli/golden.h"

#include <algorithm>
#include <map>

#include "assay/v1/golden.grpc.pb.h"
#include "cli/codec.h"
#include "cli/files.h"
#include "cli/golden_build.h"
#include "cli/golden_diff.h"
#include "cli/golden_files.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/text.h"
#include "golden/set_file.h"

namespace assay {
namespace {

using Service = v1::GoldenService;
using Json = nlohmann::ordered_json;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxPage = 1000;

Result<v1::PushResponse> send(const Client& client, ByteView file, const PushWishes& wishes) {
  grpc::ClientContext context;
  // And a second for every MiB: the verifier stores a large set before it answers.
  client.prepare(context, std::chrono::seconds(file.size() / kChunkBytes));
  v1::PushResponse response;
  const auto stub = client.stub<Service>();
  const auto writer = stub->Push(&context, &response);
  ProgressBar bar("pushing");
  for (std::size_t sent = 0; sent < file.size();) {
    const ByteView chunk = file.subspan(sent, std::min(kChunkBytes, file.size() - sent));
    v1::PushRequest request;
    request.set_data(chunk.data(), chunk.size());
    if (sent == 0) {
      request.set_idempotency_key(wishes.idempotency_key);
      request.set_draft(wishes.draft);
    }
    if (!writer->Write(request)) break;  // Finish() says why
    sent += chunk.size();
    bar.show(sent, file.size());
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return tl::unexpected<Fault>(client.explain(status));
  return response;
}

// All of a set, page by page.
Result<v1::GetGoldenResponse> fetch(const Client& client, v1::GetGoldenRequest request) {
  const auto stub = client.stub<Service>();
  request.set_limit(kMaxPage);
  v1::GetGoldenResponse out;
  while (true) {
    request.set_offset(static_cast<std::uint64_t>(out.files_size()));
    ASSAY_TRY(const v1::GetGoldenResponse page, client.call(*stub, &Service::Stub::Get, request));
    if (request.offset() > 0 && page.set().digest() != out.set().digest()) {
      return fail(FaultId::kRequestInvalid,
                  "the set was replaced while being listed: run it again");
    }
    out.clear_set();  // every page has it: lists in it would grow
    out.MergeFrom(page);
    if (static_cast<std::uint32_t>(page.files_size()) < kMaxPage) return out;
  }
}

std::string format_signers(const v1::GetGoldenResponse& got) {
  Table table({"KEY", "SIGNER"});
  for (const v1::GoldenSigner& signer : got.signers()) table.add({signer.key(), signer.name()});
  return table.text();
}

Json file_json(const v1::GoldenFile& file, const std::string& digest) {
  Json out{{"path", escape_bytes(file.path())}, {"digest", digest}, {"size", file.size()}};
  if (file.mode() != 0) out["mode"] = format_mode(file.mode());
  if (file.has_uid()) out["uid"] = file.uid();
  if (file.has_gid()) out["gid"] = file.gid();
  if (!file.kind().empty()) out["kind"] = file.kind();
  if (file.has_layer()) out["layer"] = file.layer();
  return out;
}

std::string format_facts(const v1::GetGoldenResponse& got) {
  Fields out;
  const std::map<std::string, std::string> facts(got.facts().begin(), got.facts().end());
  for (const auto& [name, value] : facts) out.push_back({name, value});
  return format_fields(out);
}

std::string format_set(const v1::GetGoldenResponse& got) {
  Table table({"DIGEST", "PATH"});
  for (const v1::GoldenFile& file : got.files()) {
    for (const std::string& digest : file.digest()) table.add({digest, file.path()});
  }
  std::string out = format_fields(fields_of(got.set()));
  if (got.has_image()) out += '\n' + format_fields(fields_of(got.image()));
  if (got.facts_size() > 0) out += '\n' + format_facts(got);
  if (got.files_size() > 0) out += '\n' + table.text();
  if (got.signers_size() > 0) out += '\n' + format_signers(got);
  return out;
}

std::string format_set_json(const v1::GetGoldenResponse& got) {
  Json out;
  out["set"] = to_json(got.set());
  out["image"] = got.has_image() ? to_json(got.image()) : Json(nullptr);
  out["files"] = Json::array();
  for (const v1::GoldenFile& file : got.files()) {
    for (const std::string& digest : file.digest()) out["files"].push_back(file_json(file, digest));
  }
  out["facts"] = std::map<std::string, std::string>(got.facts().begin(), got.facts().end());
  out["signers"] = Json::array();
  for (const v1::GoldenSigner& signer : got.signers()) {
    out["signers"].push_back({{"name", escape_bytes(signer.name())}, {"key", signer.key()}});
  }
  return format_json(out);
}

}  // namespace

GoldenCommands::GoldenCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("golden", "golden sets: the files that may run");
  noun->require_subcommand(1);
  add_examples(*noun,
               "  assay golden build --rootfs /mnt --name host/debian-12 -o host.json\n"
               "  assay golden push host.json\n"
               "  assay golden diff old.json host.json\n"
               "  assay golden list");
  add_build(*noun, chosen);
  add_push(*noun, chosen);
  add_list(*noun, chosen);
  add_show(*noun, chosen);
  add_diff(*noun, chosen);
  life_.add_to(*noun, chosen);
  find_.add_to(*noun, chosen);
  signing_.add_to(*noun, chosen);
}

void GoldenCommands::add_build(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("build", "make a set file");
  CLI::App* source = verb->add_option_group("source", "what the set is made from");
  source->add_option("--rootfs", rootfs_, "directory tree: every regular file in it");
  source->add_option("--oci", oci_, "image as an OCI layout: directory or tar");
  source->add_option("--docker-archive", docker_archive_, "image as `docker save` writes it");
  CLI::Option* ima_log = source->add_option(
      "--ima-log", ima_log_, "binary_runtime_measurements of a machine that is known to be good");
  source
      ->add_option("--key", keys_,
                   "X.509 certificate in PEM or DER that may be on a keyring; may be repeated")
      ->allow_extra_args(false);
  CLI::Option* dpkg = source->add_option(
      "--dpkg", dpkg_, "root of a Debian system: every regular file of its packages");
  source->require_option(0, 1);
  verb->add_option("--signer", signers_,
                   "certificate or public key whose signature makes any file golden; may be "
                   "repeated, and stand beside a source or alone")
      ->allow_extra_args(false);
  verb->add_option("--fact", facts_,
                   "NAME=VALUE to say of the build, for people: at most 32; may be repeated")
      ->allow_extra_args(false)
      ->check(set_fact());
  verb->add_option("--name", name_, "the set's name")->required()->check(set_name());
  verb->add_option("-o,--output", set_file_, "the set file to write")->required();
  verb->add_option("--hash", hashes_, "digests to take, by comma: sha256 (default), sha1, …")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"sha1", "sha256", "sha384", "sha512"}))
      ->excludes(ima_log);
  verb->add_flag_callback(
          "--allow-changed", [this] { changed_ = ChangedFiles::kTake; },
          "take files of packages that are not as they were installed")
      ->needs(dpkg);
  CLI::App* which = verb->add_option_group("which", "one of a source's several images");
  which->add_option("--ref", ref_, "the image's name or tag in its source");
  which->add_option("--platform", platform_, "the image's platform: linux/amd64, linux/arm/v7, …");
  add_json_flag(*verb, format_);
  add_examples(*verb,
               "  assay golden build --rootfs /mnt --name host/debian-12 -o host.json\n"
               "  assay golden build --rootfs /mnt --hash sha256,sha1 --name x -o x.json\n"
               "  assay golden build --oci layout --ref v1 --name shop/web -o web.json \\\n"
               "    --fact revision=4f0c2d9 --fact url=https://ci.example/builds/7\n"
               "  assay golden build --name learned -o learned.json \\\n"
               "    --ima-log /sys/kernel/security/ima/binary_runtime_measurements\n"
               "  assay golden build --signer vendor.pem --name signed/vendor -o vendor.json\n"
               "  assay golden build --dpkg /mnt --name host/debian-12 -o host.json\n"
               "  assay golden build --key ima.pem --key evm.der --name keys -o keys.json");
  verb->callback([this, &chosen] { chosen = [this] { return build(); }; });
}

void GoldenCommands::add_push(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("push", "give a set to the verifier");
  verb->add_option("SET", set_file_, "the set file, or the envelope that it was signed in")
      ->required();
  verb->add_flag("--draft", wishes_.draft, "let it wait for `assay golden approve`");
  verb->add_option(
      "--idempotency-key", wishes_.idempotency_key,
      "what names this push, such as a CI job's id: repeated within a day, it is stored "
      "once, whatever came between");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_client_certificate_options(*verb, server_);
  add_examples(*verb,
               "  assay golden push host.json --server verifier:7443 --ca ca.pem \\\n"
               "    --token-file token\n"
               "  assay golden push web.json --client-certificate svid.pem --client-key svid.key\n"
               "  assay golden push web.dsse.json --idempotency-key \"$CI_JOB_ID\"\n"
               "  assay golden push web.json --token-env ASSAY_ID_TOKEN   # of a GitLab job\n"
               "\n"
               "It becomes the next generation of its name. The one before still counts for\n"
               "golden.grace of the verifier's configuration.");
  verb->callback([this, &chosen] { chosen = [this] { return push(); }; });
}

void GoldenCommands::add_list(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("list", "list the verifier's sets");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay golden list --json");
  verb->callback([this, &chosen] { chosen = [this] { return list(); }; });
}

void GoldenCommands::add_show(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("show", "show one of the verifier's sets, file by file");
  verb->add_option("NAME", name_, "the set's name")->required()->check(set_name());
  verb->add_option("--generation", generation_, "which one; without it, the one that counts")
      ->check(CLI::PositiveNumber);
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay golden show host/debian-12\n"
               "  assay golden show host/debian-12 --generation 3 --json");
  verb->callback([this, &chosen] { chosen = [this] { return show(); }; });
}

void GoldenCommands::add_diff(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("diff", "say what changed from one set file to another");
  verb->add_option("A", set_file_, "the older set file")->required();
  verb->add_option("B", newer_set_file_, "the newer set file")->required();
  add_json_flag(*verb, format_);
  add_examples(*verb,
               "  assay golden diff host-1.json host-2.json\n"
               "\n"
               "Status 0: the same files and image. 1: not the same. 3: a file is no set.");
  verb->callback([this, &chosen] {
    chosen = [this] { return diff_set_files(set_file_, newer_set_file_, format_); };
  });
}

bool GoldenCommands::has_source() const {
  return !keys_.empty() || !(rootfs_ + dpkg_ + ima_log_ + oci_ + docker_archive_).empty();
}

Result<BuiltSet> GoldenCommands::build_files() const {
  if (!keys_.empty()) return build_set_from_keys(name_, keys_, hashes_);
  if (!ima_log_.empty()) return build_set_from_log(name_, ima_log_);
  if (!rootfs_.empty()) return build_set_from_tree(name_, rootfs_, hashes_);
  if (!dpkg_.empty()) return build_set_from_dpkg(name_, dpkg_, hashes_, changed_);
  if (!has_source()) return set_of_signers(name_);
  const ImageForm form = oci_.empty() ? ImageForm::kDockerArchive : ImageForm::kOciLayout;
  return build_set_from_image(name_,
                              {.path = oci_.empty() ? docker_archive_ : oci_,
                               .form = form,
                               .ref = ref_,
                               .platform = platform_},
                              hashes_);
}

Result<BuiltSet> GoldenCommands::build_set() const {
  ASSAY_TRY(BuiltSet built, build_files());
  ASSAY_OK(add_signers(signers_, built.set));
  built.set.facts = facts();
  return built;
}

GoldenFacts GoldenCommands::facts() const {
  GoldenFacts out;
  for (const std::string& fact : facts_) {
    const std::size_t equals = fact.find('=');
    out.emplace(fact.substr(0, equals), fact.substr(equals + 1));
  }
  return out;
}

Exit GoldenCommands::build() const {
  if (!has_source() && signers_.empty()) {
    return complain(Exit::kUsage, "give what the set is made from, or a --signer");
  }
  // Before anything is hashed, which may take long.
  if (facts().size() != facts_.size()) {
    return complain(Exit::kUsage, "--fact: a name that is given twice");
  }
  if (facts_.size() > kMaxSetFacts) {
    return complain(Exit::kUsage, "--fact: over " + std::to_string(kMaxSetFacts) + " facts");
  }
  const Result<BuiltSet> built = build_set();
  if (!built) return complain(built.error());
  const std::string file = format_golden_set(built->set);
  if (file.size() > kMaxSetFileBytes) {
    return complain(Exit::kUsage, "the set would be over " +
                                      std::to_string(kMaxSetFileBytes >> 20) +
                                      " MiB: build it in parts");
  }
  if (const Status written = write_file(set_file_, file); !written) {
    return complain(written.error());
  }
  print(format_ == Format::kJson ? built_json(*built, file) : built_text(*built, file));
  return Exit::kOk;
}

Exit GoldenCommands::push() const {
  const Result<Bytes> file = load_pushed_file(set_file_);
  if (!file) return complain(file.error());
  const Result<Client> client = Client::open(server_);
  if (!client) return complain(client.error());
  const auto got = send(*client, *file, wishes_);
  if (!got) return complain(got.error());
  if (format_ == Format::kJson) {
    Json out;
    out["set"] = to_json(got->set());
    out["changed"] = got->changed();
    print(format_json(out));
  } else {
    print(std::string(got->changed() ? "pushed" : "unchanged: this set stood already") + '\n' +
          format_fields(fields_of(got->set())));
  }
  return Exit::kOk;
}

Exit GoldenCommands::list() const {
  const Result<Client> client = Client::open(server_);
  if (!client) return complain(client.error());
  const auto got =
      client->call(*client->stub<Service>(), &Service::Stub::List, v1::ListGoldenRequest());
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_sets_json(*got) : format_sets(*got));
  return Exit::kOk;
}

Exit GoldenCommands::show() const {
  const Result<Client> client = Client::open(server_);
  if (!client) return complain(client.error());
  v1::GetGoldenRequest request;
  request.set_name(name_);
  request.set_generation(generation_);
  const auto got = fetch(*client, request);
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_set_json(*got) : format_set(*got));
  return Exit::kOk;
}

}  // namespace assay
