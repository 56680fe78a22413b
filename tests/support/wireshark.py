"""The real Wireshark and tshark of somebody who has tarcap's extcap program, on a screen in memory."""

import os
import subprocess
import time

from process import TOP, sh, start_process, wait_until

EXTCAP = TOP / "k8s/tarcap-extcap"
# Where a window of Wireshark without a theme, at 0,0, has its buttons.
START, STOP = (20, 41), (53, 41)


def home_of(directory, program=EXTCAP):
    """A home in which Wireshark finds the program, and has been used before."""
    config = directory / "home/.config/wireshark"
    (config / "extcap").mkdir(parents=True)
    (config / "extcap/tarcap-extcap").symlink_to(program)
    (config / "recent_common").write_text("privs.warn_if_elevated: FALSE\ngui.geometry_main_x: 0\n"
                                          "gui.geometry_main_y: 0\ngui.geometry_main_width: 1100\n"
                                          "gui.geometry_main_height: 700\ngui.geometry_main_maximized: FALSE\n")
    (directory / "home").chmod(0o700)
    (directory / "tmp").mkdir(exist_ok=True)
    return directory / "home"


def environment(home, **more):
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("XDG_", "WIRESHARK_", "TARCAP_"))}
    return {**kept, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "TMPDIR": str(home.parent / "tmp"), **more}


class Window:
    """Wireshark on a screen of its own."""

    def __init__(self, env, directory, *words):
        sh("image/need", "wireshark", "xvfb:Xvfb", "xdotool", "imagemagick:import", timeout=300)
        self.directory, shown = directory, directory / "display"
        with shown.open("wb") as out:
            start_process(["Xvfb", "-displayfd", str(out.fileno()), "-screen", "0", "1100x700x24", "-nolisten", "tcp"],
                          pass_fds=[out.fileno()], stderr=subprocess.DEVNULL)
        wait_until(lambda: shown.read_text().endswith("\n"), 20, "a screen")
        self.env = {**env, "DISPLAY": f":{shown.read_text().strip()}"}
        self.log = directory / "wireshark.log"
        with self.log.open("wb") as log:
            self.process = start_process(["wireshark", *words], env=self.env, stdout=log, stderr=log)
        self.await_title("The Wireshark Network Analyzer", 30)

    def titles(self):
        seen = sh("xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@", env=self.env, check=False)
        return seen.stdout.splitlines()

    def await_title(self, text, timeout):
        try:
            wait_until(lambda: any(text in title for title in self.titles()), timeout, f"a window with {text!r}")
        except AssertionError as late:
            raise AssertionError(f"{late}; there are {self.titles()}; {self.log.read_text(errors='replace')[-2000:]}") from late

    def click(self, place):
        sh("xdotool", "mousemove", *place, "click", 1, env=self.env)

    def await_log(self, text, timeout, again=None):
        """What is clicked before a window is ready is lost: so again is done until the log has it."""
        end = time.monotonic() + timeout
        while text not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            if again:
                again()
            time.sleep(0.5)

    def picture(self, name):
        sh("import", "-window", "root", self.directory / name, env=self.env)
        return self.directory / name
