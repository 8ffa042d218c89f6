//! A small shop in a folder, quick to index and easy to change.

use std::path::Path;

use tempfile::TempDir;

const HEAD: &str = "id,category,price_minor,currency,stock,image,attributes,title_en,description_en,title_it,description_it";

/// Three products in two languages and one policy: seven chunks.
pub fn small() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    products(folder.path(), &[ARIA, MOLINO, TAZZA]);
    let policies = folder.path().join("policies/en");
    std::fs::create_dir_all(&policies).unwrap();
    let shipping = "---\nid: policy-shipping\nlanguage: en\ntitle: Shipping\ntags: []\nupdated: 2026-10-12\n---\n## How\n\nParcels leave within two working days.\n";
    std::fs::write(policies.join("shipping.md"), shipping).unwrap();
    folder
}

pub const ARIA: &str = "aria,espresso_machine,14900,EUR,18,,power_w=1350,Aria espresso machine,Froths milk for a cappuccino,Macchina espresso Aria,Monta il latte per il cappuccino";
pub const ARIA_CHANGED: &str = "aria,espresso_machine,14900,EUR,18,,power_w=1350,Aria espresso machine,Froths milk for a cappuccino,Macchina espresso Aria,Adesso scalda anche le tazzine";
pub const MOLINO: &str = "molino,grinder,8900,EUR,4,,power_w=150,Molino grinder,Grinds beans without noise,Macinino Molino,Macina i chicchi senza rumore";
pub const TAZZA: &str = "tazza,accessory,1900,EUR,40,,cups=2,Tazza porcelain cups,Two cups for the breakfast,Tazzine Tazza,Due tazzine per la colazione";

/// Writes the catalog.
pub fn products(folder: &Path, rows: &[&str]) {
    let text = format!("{HEAD}\n{}\n", rows.join("\n"));
    std::fs::write(folder.join("catalog.csv"), text).unwrap();
}
