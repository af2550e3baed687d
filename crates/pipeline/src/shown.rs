//! An environment's configuration as it takes effect, for people: everything resolved, and nothing secret.

use serde_json::{Value, json};

use gates::{Effect, Stage, When, Window};

use crate::database::Database;
use crate::environment::Environment;
use crate::gates::Gates;

impl Environment {
    /// Everything that takes effect, defaults included. What came out of references is shown as `***`.
    pub fn shown(&self) -> Value {
        let mut value = self.resolved.clone();
        self.mask(&mut value);
        let gates = &self.gates;
        value["environment"] = json!({
            "name": self.name,
            "after": self.after,
            "database": match &self.database {
                Database::Embedded => json!("embedded"),
                Database::Url(_) => json!(self.origin),
            },
            "tls": if self.is_gated() { "demanded, unless the server is local" } else { "as the URL says" },
            "soak": gates.soak.map(|soak| humantime::format_duration(soak).to_string()),
            "approvals": gates.approvals.as_ref().map(|approvals| json!({
                "required": approvals.rule.required,
                "from": approvals.rule.from,
                "valid_for": humantime::format_duration(approvals.valid_for).to_string(),
            })),
            "freeze": gates.windows.iter().map(window).collect::<Vec<_>>(),
            "overrides": gates.overrides.iter().map(|gate| gate.as_str()).collect::<Vec<_>>(),
            "receipt": self.receipt(gates),
            "receipts": gates.receipts.as_ref().map(|receipts| json!({
                "from": receipts.from.iter().map(|path| self.masked(&path.display().to_string())).collect::<Vec<_>>(),
                "public_key": receipts.keys.iter().map(gates::PublicKey::to_base64).collect::<Vec<_>>(),
                "max_age": humantime::format_duration(receipts.max_age).to_string(),
            })),
        });
        value.sort_all_objects();
        value
    }

    fn receipt(&self, gates: &Gates) -> Option<Value> {
        let receipt = gates.receipt.as_ref()?;
        let key = match &receipt.key {
            Ok(key) => key.public().map(|public| format!("*** (public: {})", public.to_base64())),
            Err(_) => Ok("not set here; needed by a deploy".to_owned()),
        };
        let key = key.unwrap_or_else(|error| error.to_string());
        Some(json!({ "write": self.masked(&receipt.path.display().to_string()), "sign_key": key }))
    }

    fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.masked(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.mask(field)),
            _ => {}
        }
    }

    fn masked(&self, text: &str) -> String {
        self.secrets.redact(text)
    }
}

fn window(window: &Window) -> Value {
    let stages: Vec<&str> = window
        .stages
        .iter()
        .map(|stage| match stage {
            Stage::Schema => "schema",
            Stage::Index => "index",
            Stage::Backfill => "backfill",
        })
        .collect();
    let effect = match window.effect {
        Effect::Deny => "deny",
        Effect::Allow => "allow",
    };
    let mut value = json!({ "name": window.name, "timezone": window.zone.name(), "stages": stages });
    match &window.when {
        When::Recurring { cron, lasts } => {
            value[effect] = json!(cron.to_string());
            value["for"] = json!(humantime::format_duration(*lasts).to_string());
        }
        When::Once { from, to } => {
            value["from"] = json!(window.zone.shown(*from));
            value["to"] = json!(window.zone.shown(*to));
        }
    }
    value
}
