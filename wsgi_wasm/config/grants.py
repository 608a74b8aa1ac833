"""What a route grants of the host's own APIs, from its keys and from the stores and databases
of the file."""

from __future__ import annotations

from pathlib import Path

from wsgi_wasm.config.granted import Database, Grants, HostCommand, KeyValueStore, Mail, Outbound, Variable
from wsgi_wasm.config.kinds import Setting, Settings
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.config.settings import defaults_of, fields_of, merged, value_of
from wsgi_wasm.files.beneath import resolved
from wsgi_wasm.messages import did_you_mean, quote

# Where `state_dir` keeps what has no file of its own: the names that Spin uses, whose files can be
# taken over.
KEY_VALUE_FILE = "sqlite_key_value.db"
DATABASE_FILE = "sqlite_db.db"
MAIL_DIRECTORY = "mail"

_DEFAULT = "default"  # the store and the database that need no definition


class GrantsBuilder:
    """Builds the grants of one file's routes."""

    def __init__(self, site: Settings, reading: Reading) -> None:
        self._reading = reading
        self._state_dir: Path | None = value_of(site, "state_dir")
        self._stores: Settings = value_of(site, "key_value") or {}
        self._databases: Settings = value_of(site, "sqlite") or {}
        # that guests must not write to other than through the APIs: what each is
        self.files: dict[Path, str] = {}
        self._mail_servers: dict[Path, str] = {}  # by the spool
        for setting in self._stores.values():
            self._check_store(setting)

    def build(self, settings: Settings) -> Grants:
        """The grants of a route with these settings. What is wrong is reported where the
        file has it."""
        stores = {
            label: store
            for label, setting in (value_of(settings, "key_value") or {}).items()
            if (store := self._store(setting, settings["key_value"])) is not None
        }
        databases = {
            label: database
            for label, setting in (value_of(settings, "sqlite") or {}).items()
            if (database := self._database(setting, settings["sqlite"])) is not None
        }
        return Grants(
            key_value=stores,
            sqlite=databases,
            variables=self._variables(settings),
            commands=self._commands(settings),
            mail=self._mail(settings),
            outbound=Outbound(**fields_of(Outbound, settings)),
            **fields_of(Grants, settings),
        )

    def _store(self, label: Setting, key: Setting) -> KeyValueStore | None:
        name: str = label.value
        if name not in self._stores and name != _DEFAULT:
            self._report_unknown(label, key, "key_value", tuple(self._stores))
            return None
        written = self._stores[name].value if name in self._stores else {}
        settings = merged(defaults_of("store"), written)
        path, prefix = value_of(settings, "path"), value_of(settings, "prefix")
        if value_of(settings, "redis") is None and path is None:
            if "path" in written or "redis" in written:
                return None  # it is broken, which has been reported
            path = self._kept(KEY_VALUE_FILE, f"the store {quote(name)}", label, key)
            if path is None:
                return None
        if path is not None:
            self.files[path] = f"the store {name}"
        prefix = f"{name}:" if prefix is None else prefix
        path = None if path is None else resolved(path)
        return KeyValueStore(name=name, path=path, prefix=prefix, **fields_of(KeyValueStore, settings))

    def _database(self, label: Setting, key: Setting) -> Database | None:
        name: str = label.value
        if name not in self._databases and name != _DEFAULT:
            self._report_unknown(label, key, "sqlite", tuple(self._databases))
            return None
        settings = merged(defaults_of("database"), self._databases[name].value if name in self._databases else {})
        path = value_of(settings, "path")
        if path is None:
            if name in self._databases:
                return None
            path = self._kept(DATABASE_FILE, f"the database {quote(name)}", label, key)
            if path is None:
                return None
        self.files[path] = f"the database {name}"
        return Database(path=resolved(path), **fields_of(Database, settings))

    def _variables(self, settings: Settings) -> dict[str, Variable]:
        variables = {}
        for name, setting in (value_of(settings, "variables") or {}).items():
            made = Variable(**fields_of(Variable, setting.value))
            if "value" in setting.value and "file" in setting.value:
                self._report(setting, "has both 'value' and 'file'; remove one of them")
            elif not setting.value:
                self._report(setting, "needs 'value' or 'file'")
            elif made.value is not None or made.file is not None:
                variables[name] = made
                if made.file is not None:
                    self.files[made.file] = f"the file of the variable {name}"
        return variables

    def _commands(self, settings: Settings) -> dict[str, HostCommand]:
        """Those whose path could be read."""
        granted = {}
        for name, setting in (value_of(settings, "commands") or {}).items():
            own = merged(defaults_of("command"), setting.value)
            if value_of(own, "path") is not None:
                made = granted[name] = HostCommand(**fields_of(HostCommand, own))
                self.files[made.path] = f"the command {name}"
        return granted

    def _mail(self, settings: Settings) -> Mail | None:
        written = value_of(settings, "mail")
        if not written:
            return None
        own, key = merged(defaults_of("mail"), written), settings["mail"]
        if any(value_of(own, name) is None for name in ("server", "from", "to")):
            missing = [name for name in ("from", "to") if name not in written]
            if missing:
                self._report(key, f"needs the key {quote(missing[0])}")
            return None
        spool = value_of(own, "spool") or self._kept(MAIL_DIRECTORY, "the spool of mail", key, key)
        if spool is None:
            return None
        made = Mail(**{**fields_of(Mail, own), "spool": resolved(spool)})
        if self._mail_servers.setdefault(made.spool, made.server) != made.server:
            self._report(key, "has another server than the mail of another route, but the same spool: add 'spool'")
        self.files[made.spool / "waiting"] = "the spool of mail"
        return made

    def _kept(self, file: str, what: str, label: Setting, key: Setting) -> Path | None:
        if self._state_dir is None:
            self._report_label(label, key, f"{what} needs 'state_dir', which the file does not set")
            return None
        return self._state_dir / file

    def _check_store(self, setting: Setting) -> None:
        for first, second in (("path", "redis"), ("path", "prefix")):
            if first in setting.value and second in setting.value:
                self._report(setting, f"has both {quote(first)} and {quote(second)}; remove one of them")

    def _report_unknown(self, label: Setting, key: Setting, section: str, known: tuple[str, ...]) -> None:
        hint = did_you_mean(label.value, known)
        self._report_label(label, key, f"{quote(label.value)} is not defined in the file's {quote(section)}{hint}")

    def _report_label(self, label: Setting, key: Setting, message: str) -> None:
        # The place of a default is nowhere, and a default grants nothing.
        self._reading.report(label.key if label.key.line else key.key, label.path, message)

    def _report(self, setting: Setting, message: str) -> None:
        self._reading.report(setting.key, setting.path, message)
