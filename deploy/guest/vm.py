#!/usr/bin/env python3
"""Runs the virtual machine that build.sh made, with a software TPM of its own.

  vm.py start OUT_DIR --port PORT     start it; returns when it takes commands
  vm.py exec OUT_DIR COMMAND          run shell text in it; output and exit status are the command's
  vm.py put OUT_DIR FILE GUEST_FILE   copy a file into it
  vm.py get OUT_DIR GUEST_FILE FILE   copy a file out of it
  vm.py reboot OUT_DIR                restart it, disk kept; returns when it takes commands again
  vm.py stop OUT_DIR                  power it off and end everything that start started

PORT is the verifier's on this machine's 127.0.0.1; the guest finds it at 10.0.2.100:7443 and can
reach nothing else. The root disk is thrown away at stop unless start is told --keep-disk. The TPM,
hence the guest's identity, stays until --new-tpm. Several guests run side by side under --name.

The firmware is UEFI with Secure Boot, and measures what it boots. --initrd and --no-secure-boot are
there to boot something else than it should.

All of a guest is in OUT_DIR/vm/NAME: tpm/, disk.qcow2, firmware.vars, console.log, qemu.log, swtpm.log.
Exit status: 2 wrong usage, 125 the machine failed, else that of the command.
"""

import argparse
import base64
import contextlib
import ctypes
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

READY = b"guest: ready"
PANIC = b"Kernel panic"
BOOT_SECONDS = 120  # under TCG, on a busy machine; 8 s are usual
KVM_BOOT_SECONDS = 20  # then KVM counts as one that does not boot this kernel
POWER_OFF_SECONDS = 15
FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
KEYED_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"  # trust the key build.sh signs with
EMPTY_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"  # no keys: Secure Boot is off
MAX_COMMAND_BYTES = 48 * 1024  # the guest's serial driver holds 64 KiB and has no flow control
PUT_CHUNK_BYTES = 30 * 1024  # as base64 in a command


class VmError(Exception):
    """The machine did not do what was asked; the text is for the user."""


def progress(text):
    print(f"[vm] {text}", file=sys.stderr, flush=True)


# --- processes -----------------------------------------------------------------------------------


def start_time(pid):
    """Tells a process from a later one with its number; None when there is none or it is dead."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


class Process:
    """One process, remembered in a file so that another run of this program can end it."""

    def __init__(self, directory, name):
        self.file = directory / f"{name}.pid"
        self.log = directory / f"{name}.log"

    def start(self, command, **options):
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us to handle, not for it
                cwd=self.file.parent,  # so socket paths are short
                **options,
            )
        self.file.write_text(f"{child.pid} {start_time(child.pid)}\n", encoding="ascii")

    def pid(self):
        """Of the process if it is alive, else None."""
        with contextlib.suppress(OSError, ValueError):
            pid, started = self.file.read_text(encoding="ascii").split()
            reap(int(pid))
            if start_time(int(pid)) == started:
                return int(pid)
        return None

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while self.pid() is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.pid() is None

    def stop(self):
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid()
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            self.wait(5)
        self.file.unlink(missing_ok=True)


def reap(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


# --- what this machine can do --------------------------------------------------------------------


def kvm_looks_usable():
    """Some hosts' /dev/kvm cannot run a stock kernel (kvm_pvm); these flags are missing there."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    return re.search(r"\b(vmx|svm)\b", cpu) is not None and os.access("/dev/kvm", os.R_OK | os.W_OK)


def tsc_khz():
    """The host's time stamp counter, which TCG shows the guest. A guest measuring it itself on a
    busy host can be wrong by a factor of eight; None leaves it to that."""
    read_tsc = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"  # rdtsc; shl rdx,32; or rax,rdx; ret
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    code.write(read_tsc)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    began, ticks = time.monotonic_ns(), function()
    time.sleep(0.2)
    ticks, elapsed = function() - ticks, time.monotonic_ns() - began
    return ticks * 1_000_000 // elapsed


# --- the machine ---------------------------------------------------------------------------------


class Vm:
    def __init__(self, out, name):
        self.out = out.resolve()
        self.name = name
        self.directory = self.out / "vm" / name
        self.console = self.directory / "console.log"
        self.disk = self.directory / "disk.qcow2"
        self.disk_kept = self.directory / "disk.kept"
        self.tpm = Process(self.directory, "swtpm")
        self.qemu = Process(self.directory, "qemu")

    # start

    def start(self, options):
        if self.qemu.pid() is not None:
            raise VmError(f"{self.name} is already running; stop it first")
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.end_processes()
            self.make_tpm(options.new_tpm)
            self.make_disk(options.keep_disk)
            self.boot_on_any(options)
        except BaseException:  # Ctrl-C and SIGTERM included: nothing stays behind
            self.end_processes()
            raise

    def boot_on_any(self, options):
        for accelerator in self.accelerators(options.accelerator):
            if self.boot(accelerator, options):
                return
        raise VmError(f"{self.name} did not start; see {self.console} and {self.qemu.log}")

    def make_tpm(self, new):
        state = self.directory / "tpm"
        if state.exists() and not new:
            return
        progress(f"{self.name}: making its TPM")
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        command = ["swtpm_setup", "--tpm2", "--tpmstate", state, "--create-ek-cert"]
        command += ["--create-platform-cert", "--lock-nvram", "--pcr-banks", "sha1,sha256,sha384"]
        command += ["--config", self.out / "tpm-ca" / "swtpm_setup.conf", "--vmid", self.name]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            shutil.rmtree(state)
            raise VmError(f"swtpm_setup failed:\n{made.stdout}{made.stderr}")

    def make_disk(self, keep):
        image = self.out / "root.ext4"
        # An overlay is worth nothing over another image than the one it was made for.
        outdated = self.disk.exists() and self.disk.stat().st_mtime < image.stat().st_mtime
        if outdated or not self.disk_kept.exists():
            self.disk.unlink(missing_ok=True)
        if not self.disk.exists():
            command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw"]
            command += ["-b", image, self.disk]
            subprocess.run(command, check=True)
        if keep:
            self.disk_kept.touch()
        else:
            self.disk_kept.unlink(missing_ok=True)

    def accelerators(self, wanted):
        if wanted is not None:
            return [wanted]
        return ["kvm", "tcg"] if kvm_looks_usable() else ["tcg"]

    def boot(self, accelerator, options):
        """True when it takes commands; False, with nothing left running, when it does not."""
        began = time.monotonic()
        self.console.write_bytes(b"")
        self.start_tpm()
        variables = KEYED_VARIABLES if options.secure_boot else EMPTY_VARIABLES
        shutil.copy(variables, self.directory / "firmware.vars")
        self.qemu.start(self.qemu_command(accelerator, options))
        seconds = KVM_BOOT_SECONDS if accelerator == "kvm" else options.timeout
        problem = self.wait_until_ready(0, seconds)
        if problem is None:
            elapsed = time.monotonic() - began
            progress(f"{self.name}: up after {elapsed:.1f} s ({accelerator})")
            return True
        progress(f"{self.name}: {problem} ({accelerator})")
        self.end_processes()
        return False

    def start_tpm(self):
        self.tpm.stop()
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=tpm"]
        self.tpm.start(command + ["--ctrl", "type=unixio,path=tpm.sock"])
        deadline = time.monotonic() + 10
        while not (self.directory / "tpm.sock").exists():
            if self.tpm.pid() is None or time.monotonic() > deadline:
                raise VmError(f"swtpm did not start; see {self.tpm.log}")
            time.sleep(0.02)

    def qemu_command(self, accelerator, options):
        kernel = ["console=ttyS0", "quiet", "ima_policy=tcb", f"assay.hostname={self.name}"]
        khz = tsc_khz() if accelerator == "tcg" else None
        if khz is not None:
            kernel.append(f"tsc_early_khz={khz}")
        busybox = shutil.which("busybox") or "/usr/bin/busybox"
        pipe = f"{busybox} nc 127.0.0.1 {options.port}"
        initrd = (options.initrd or self.out / "initramfs.cpio").resolve()
        command = ["qemu-system-x86_64", "-name", self.name, "-nodefaults", "-no-user-config"]
        command += ["-display", "none", "-m", str(options.memory), "-smp", "1"]
        # Only code in system management mode may write the Secure Boot variables.
        command += ["-machine", "q35,smm=on", "-global", "ICH9-LPC.disable_s3=1"]
        command += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"]
        command += ["-drive", "if=pflash,unit=1,format=raw,file=firmware.vars"]
        command += ["-accel", accelerator]
        command += ["-cpu", "host" if accelerator == "kvm" else "Nehalem,+aes,+pclmulqdq,+rdrand"]
        command += ["-kernel", self.out / "vmlinuz", "-initrd", initrd]
        command += ["-append", " ".join(kernel)]
        command += ["-chardev", "socket,id=tpm,path=tpm.sock", "-device", "tpm-tis,tpmdev=tpm0"]
        command += ["-tpmdev", "emulator,id=tpm0,chardev=tpm"]
        command += ["-drive", "if=none,id=root,file=disk.qcow2,format=qcow2,cache=unsafe"]
        command += ["-device", "virtio-blk-pci,drive=root"]
        command += ["-netdev", "user,id=net,restrict=on,ipv6=off,"
                    f"guestfwd=tcp:10.0.2.100:7443-cmd:{pipe}"]
        # Without the card's boot ROM: nothing boots from it, and the firmware would measure it.
        command += ["-device", "virtio-net-pci,netdev=net,romfile="]
        command += ["-serial", "file:console.log"]
        command += ["-serial", "unix:command.sock,server=on,wait=off"]
        return command

    def wait_until_ready(self, offset, seconds):
        """None, or why the guest does not take commands. Looks at the console after `offset`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.console.read_bytes()[offset:]
            if READY in text:
                return None
            if PANIC in text:
                return "the kernel panicked"
            if self.qemu.pid() is None:
                return f"QEMU ended; see {self.qemu.log} and {self.console}"
            time.sleep(0.05)
        return f"not up after {seconds} s"

    # use

    def run(self, text, seconds):
        """Runs shell text in the guest; its output (both streams) and exit status."""
        if self.qemu.pid() is None:
            raise VmError(f"{self.name} is not running")
        with CommandChannel(self.directory) as channel:
            return channel.run(text, seconds)

    def put(self, source, guest_file):
        data = source.read_bytes()
        where = quoted(guest_file)
        self.run_checked(f": > {where}")
        for start in range(0, len(data), PUT_CHUNK_BYTES):
            chunk = base64.b64encode(data[start : start + PUT_CHUNK_BYTES]).decode()
            self.run_checked(f"printf %s {chunk} | base64 -d >> {where}")

    def get(self, guest_file, destination):
        output = self.run_checked(f"base64 {quoted(guest_file)}")
        destination.write_bytes(base64.b64decode(output))

    def run_checked(self, text):
        output, status = self.run(text, 120)
        if status != 0:
            raise VmError(output.decode(errors="replace").strip())
        return output

    def reboot(self, seconds):
        offset = self.console.stat().st_size
        # Answered first, done later: a command that never returns would be one that failed.
        self.run_checked("sync; (sleep 0.5; reboot -f) > /dev/null 2>&1 &")
        problem = self.wait_until_ready(offset, seconds)
        if problem is not None:
            raise VmError(f"{self.name}: {problem}")

    # stop

    def stop(self):
        if self.qemu.pid() is not None:
            with contextlib.suppress(VmError, OSError):
                self.run("sync; (sleep 0.2; poweroff -f) > /dev/null 2>&1 &", 5)
                self.qemu.wait(POWER_OFF_SECONDS)
        self.end_processes()
        if not self.disk_kept.exists():
            self.disk.unlink(missing_ok=True)

    def end_processes(self):
        self.qemu.stop()  # its pipes to the verifier's port end with their input
        self.tpm.stop()
        for name in ("tpm.sock", "command.sock"):
            (self.directory / name).unlink(missing_ok=True)


class CommandChannel:
    """The guest's second serial port; see the guest's init for what is said on it. QEMU serves one
    connection at a time, so commands from several processes queue here."""

    def __init__(self, directory):
        self.directory = directory
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self):
        # Through /proc, because a socket's path may not be longer than 107 bytes.
        folder = os.open(self.directory, os.O_PATH | os.O_DIRECTORY)
        try:
            self.socket.connect(f"/proc/self/fd/{folder}/command.sock")
        except OSError as error:
            self.socket.close()
            raise VmError(f"no command channel: {error}") from error
        finally:
            os.close(folder)
        return self

    def __exit__(self, *_):
        self.socket.close()

    def run(self, text, seconds):
        name = uuid.uuid4().hex
        body = text.encode()
        if len(body) > MAX_COMMAND_BYTES:
            raise VmError("command too long")
        self.socket.sendall(f"{name} {seconds} {len(body)}\n".encode() + body)
        # What comes before our own "begin" is the rest of a command whose caller went away.
        answer = re.compile(
            rb"__begin %s\n(.*)\n__done %s (\d+)\n" % (name.encode(), name.encode()), re.DOTALL
        )
        received = b""
        deadline = time.monotonic() + seconds + 10  # the guest itself ends the command in time
        while (match := answer.search(received)) is None:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self.socket.recv(65536)
            except TimeoutError as error:
                raise VmError(f"no answer within {seconds} s") from error
            if not part:
                raise VmError("the machine ended")
            received += part
        return match[1], int(match[2])


def quoted(path):
    return "'" + path.replace("'", "'\\''") + "'"


# --- the command line ----------------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name):
        added = commands.add_parser(name)
        added.add_argument("out", type=pathlib.Path, metavar="OUT_DIR")
        added.add_argument("--name", default="guest", help="which guest, also its host name")
        return added

    start = command("start")
    start.add_argument("--port", type=int, required=True, help="the verifier's, on 127.0.0.1")
    start.add_argument("--initrd", type=pathlib.Path, help="default: OUT_DIR/initramfs.cpio")
    start.add_argument("--no-secure-boot", dest="secure_boot", action="store_false")
    start.add_argument("--memory", type=int, default=320, help="MiB")
    start.add_argument("--keep-disk", action="store_true", help="keep the disk at stop and start")
    start.add_argument("--new-tpm", action="store_true", help="another TPM, hence another identity")
    start.add_argument("--accelerator", choices=["kvm", "tcg"], help="default: the best that boots")
    start.add_argument("--timeout", type=int, default=BOOT_SECONDS, help="seconds to boot")
    execute = command("exec")
    execute.add_argument("--timeout", type=int, default=60, help="seconds for the command")
    execute.add_argument("text", metavar="COMMAND")
    put = command("put")
    put.add_argument("file", type=pathlib.Path)
    put.add_argument("guest_file")
    get = command("get")
    get.add_argument("guest_file")
    get.add_argument("file", type=pathlib.Path)
    reboot = command("reboot")
    reboot.add_argument("--timeout", type=int, default=BOOT_SECONDS, help="seconds to boot")
    command("stop")
    return parser.parse_args()


def run(options):
    vm = Vm(options.out, options.name)
    if options.command == "start":
        vm.start(options)
    elif options.command == "exec":
        output, status = vm.run(options.text, options.timeout)
        sys.stdout.buffer.write(output)
        return status
    elif options.command == "put":
        vm.put(options.file, options.guest_file)
    elif options.command == "get":
        vm.get(options.guest_file, options.file)
    elif options.command == "reboot":
        vm.reboot(options.timeout)
    elif options.command == "stop":
        vm.stop()
    return 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_arguments()
    try:
        return run(options)
    except KeyboardInterrupt:
        return 130
    except (VmError, OSError, subprocess.CalledProcessError) as error:
        print(f"vm.py: {error}", file=sys.stderr)
        return 125


if __name__ == "__main__":
    sys.exit(main())
