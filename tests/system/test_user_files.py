"""Users in files of their own: read at the start, by SIGHUP, and when they change."""
import os
import shutil
import smtplib
import subprocess
import unittest

from harness import PASSWORD, POSTERN, eventually, password_hash
from test_reload import Reload


class UserFiles(Reload):
    """`team.yaml`, named relative to the configuration, beside user demo."""

    settings = {"mode": "queued", "user_extra": "}\n  - {file: users/team.yaml"}

    def start(self, **settings):
        self.folder = self.home / "users"
        self.folder.mkdir(mode=0o755, exist_ok=True)
        self.record_text = password_hash()
        self.put("ann")
        super().start(**settings)

    def put(self, *names, folder=None, more=""):
        """team.yaml with these users, in one step."""
        folder = folder or self.folder
        text = "".join(f"- name: {name}\n  password_hash: {self.record_text}\n"
                       for name in names) or "[]\n"
        new = folder / "new"
        new.write_text(text + more)
        os.chmod(new, 0o600)
        shutil.chown(new, "nobody")
        new.rename(folder / "team.yaml")

    def log_in(self, name):
        smtp = self.client(login=False)
        smtp.login(name, PASSWORD)
        return smtp

    def refused(self, name):
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.log_in(name)


class Hangup(UserFiles):
    def test_users_of_a_file_come_and_go(self):
        first = self.queue_id(self.send(self.log_in("ann"))[1])
        self.assertEqual(self.record(first)["user"], "ann")
        self.log_in("demo")
        self.refused("bob")
        before = self.config_hash()
        self.put("ann", "bob")
        self.assertNotEqual(self.hangup()["hash"], before)
        old = self.log_in("bob")
        self.assertEqual(self.send(old)[0], 250)
        self.put("ann")
        self.assertEqual(self.hangup()["hash"], before)
        self.refused("bob")
        # As who was removed from the file itself.
        code, text = self.send(old)
        self.assertEqual(code, 421, text)
        self.assertIn("removed or disabled", text)
        self.log_in("ann")
        self.put()
        self.hangup()
        self.refused("ann")
        self.log_in("demo")

    def test_limits_of_a_user_of_a_file_hold(self):
        self.put("ann", more="  daily: 1\n")
        self.hangup()
        smtp = self.log_in("ann")
        self.assertEqual(self.send(smtp)[0], 250)
        code, text = self.send(smtp)
        self.assertEqual(code, 451, text)
        self.assertIn("Daily quota of 1 messages", text)

    def test_a_bad_file_leaves_the_users_of_before(self):
        before = self.config_hash()
        bad = [("  daily: many\n", "[0].daily", 3),
               ("- name: demo\n  password_hash: x\n", "[1].name", 3),
               ("- {file: other.yaml}\n", "[1].file", 3),
               ("- [\n", "", 4)]
        for more, key, line in bad:
            seen = len(self.server.events("config_problem"))
            self.put("bob", more=more)
            failed = self.hangup("reload_failed")
            self.assertIn("in the files", failed["reason"])
            problems = self.server.events("config_problem")[seen:]
            self.assertIn((str(self.folder / "team.yaml"), key, line),
                          [(p["file"], p["key"], p["line"]) for p in problems])
            self.assertEqual(self.config_hash(), before)
            self.refused("bob")
            self.log_in("ann")
        namesake = [p["problem"] for p in self.server.events("config_problem")
                    if p["key"] == "[1].name"][0]
        self.assertRegex(namesake, r"another user, on line \d+ of \S+/postern.yaml")
        (self.folder / "team.yaml").unlink()
        self.hangup("reload_failed")
        self.assertEqual(self.server.events("config_problem")[-1]["key"],
                         "users[1].file")
        self.log_in("ann")
        self.put("bob")
        self.hangup()
        self.log_in("bob")

    def test_check_names_the_file(self):
        path = self.home / "postern.yaml"

        def check():
            return subprocess.run([POSTERN, "check", "-c", path],
                                  text=True, capture_output=True)
        self.assertEqual(check().returncode, 0, check().stderr)
        self.put("bob", more="  rate: often\n")
        done = check()
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{self.folder}/team.yaml:3:9: [0].rate: must be a rate",
                      done.stderr)
        self.put("bob")
        os.chmod(self.folder / "team.yaml", 0o644)
        self.assertIn("may be read by everybody", check().stderr)


class Watch(UserFiles):
    def start(self, **settings):
        super().start(log_extra="}\nreload: {watch: true", **settings)

    def reloads(self, event="reload_ok"):
        return len(self.server.events(event))

    def test_a_file_that_is_replaced(self):
        self.put("ann", "bob")
        eventually(lambda: self.reloads() >= 1, "the new file is seen")
        self.log_in("bob")
        self.assertEqual(self.server.events("reload_start")[0]["trigger"], "watch")

    def test_a_bad_file_that_is_mended(self):
        self.put("bob", more="  daily: many\n")
        eventually(lambda: self.reloads("reload_failed") >= 1, "it is seen")
        self.log_in("ann")
        self.put("bob")
        eventually(lambda: self.reloads() >= 1, "the mended file is seen")
        self.log_in("bob")
        self.refused("ann")

    def test_a_volume_of_kubernetes_that_is_updated(self):
        for name, user in ("v1", "ann"), ("v2", "bob"):
            (self.folder / name).mkdir(mode=0o755)
            self.put(user, folder=self.folder / name)
        (self.folder / "..data").symlink_to("v1")
        (self.folder / "link").symlink_to("..data/team.yaml")
        (self.folder / "link").rename(self.folder / "team.yaml")
        eventually(lambda: self.reloads() >= 1, "the symlink is seen")
        (self.folder / "..tmp").symlink_to("v2")
        (self.folder / "..tmp").rename(self.folder / "..data")
        eventually(lambda: self.reloads() >= 2, "the swap is seen")
        self.log_in("bob")
        self.refused("ann")

    def test_a_file_that_is_named_later(self):
        other = self.folder / "other.yaml"
        self.edit(("{file: users/team.yaml}", "{file: users/other.yaml}"))
        self.hangup("reload_failed")
        self.put("bob")
        (self.folder / "team.yaml").rename(other)
        eventually(lambda: self.reloads() >= 1, "the missing file is seen")
        self.log_in("bob")
        self.put("cid")
        (self.folder / "team.yaml").rename(other)
        eventually(lambda: self.reloads() >= 2, "its change is seen")
        self.log_in("cid")


if __name__ == "__main__":
    unittest.main()
