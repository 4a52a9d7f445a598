// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `drivers/base/devres.c`: unbind goes on until no resource is left, and a node is removed without
//! a walk through the device's list.

use super::c;
use anyhow::{Context, Result};

/// The head of the loop. The list is looked at without the lock, as before.
const LOOP: &str = "	/* The release of a resource may add others. */
	while (!list_empty(&dev->devres_head)) {
		LIST_HEAD(todo);

";

/// Puts what `devres_release_all()` does once into a loop.
pub(super) fn release_until_empty(text: &str) -> Result<String> {
    c::edit(text, c::function(text, "devres_release_all")?, |function| {
        let function = c::replace(function, "	LIST_HEAD(todo);\n", "")?;
        let function = c::replace(&function, "	int cnt;\n", "	int cnt = 0;\n")?;
        let function = c::replace(&function, "	cnt = ", "	cnt += ")?;

        let is_empty = c::once(&function, "	if (list_empty(&dev->devres_head))\n")?;
        let comment = function[..is_empty]
            .rfind("\n\n")
            .context("`devres_release_all()` does not look whether the list is empty")?;
        let start = c::once(&function, "	spin_lock_irqsave(")?;
        let last = "	release_nodes(dev, &todo);\n";
        let end = c::once(&function, last)? + last.len();
        let body: String = function[start..end]
            .split_inclusive('\n')
            .map(|line| match line {
                "\n" => line.to_owned(),
                line => format!("\t{line}"),
            })
            .collect();

        let (before, behind) = (&function[..comment + 2], &function[end..]);
        let behind = behind.trim_start_matches('\n');
        Ok(format!("{before}{LOOP}{body}	}}\n\n{behind}"))
    })
}

/// The field that says on which list a node is. It shares a word with the size, which is only
/// printed: devres has many small nodes, and none shall need a larger slab object.
const FIELDS: &str = "	unsigned int			size:31;
	/* On the list of a release that is under way, not on the device's. */
	bool				releasing:1;
";

/// `drivers/base/base.h`: the field.
pub(super) fn releasing_field(text: &str) -> Result<String> {
    c::edit(text, c::structure(text, "devres_node")?, |structure| {
        c::replace(structure, "	size_t				size;\n", FIELDS)
    })
}

/// The end of `devres_node_remove()`.
const REMOVE: &str = "	/* A node that is being released belongs to release_nodes(). */
	if (node->releasing || list_empty(&node->entry))
		return false;

	list_del_init(&node->entry);
	devres_log(dev, node, \"REM\");
	return true;
}
";

/// `devres_node_remove()` looks at the node, and not through the list.
pub(super) fn remove_without_walk(text: &str) -> Result<String> {
    let text = c::edit(text, c::function(text, "devres_node_init")?, |function| {
        c::replace(function, "\n}\n", "\n	node->releasing = false;\n}\n")
    })?;
    let text = c::edit(&text, c::function(&text, "devres_dbg")?, |function| {
        c::replace(function, "(%zu bytes)", "(%u bytes)")
    })?;
    let text = c::edit(&text, c::function(&text, "remove_nodes")?, |function| {
        let moved = "			list_move_tail(&node->entry, todo);\n";
        let new = format!("{moved}			node->releasing = true;\n");
        c::replace(function, moved, &new)
    })?;
    c::edit(
        &text,
        c::function(&text, "devres_node_remove")?,
        |function| {
            let function = c::replace(function, "	struct devres_node *__node;\n\n", "")?;
            let walk = c::once(&function, "	list_for_each_entry_reverse(")?;
            Ok(format!(
                "{}\n{REMOVE}",
                function[..walk].trim_end().to_owned() + "\n"
            ))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a tree's `devres.c` that these steps look at.
    const DEVRES: &str = "\
void devres_node_init(struct devres_node *node)
{
	node->a = a;
}

static void devres_dbg(struct devres_node *node)
{
	dev_err(dev, \"(%zu bytes)\", node->size);
}

bool devres_node_remove(struct device *dev, struct devres_node *node)
{
	struct devres_node *__node;

	guard(lock)(&dev->lock);
	list_for_each_entry_reverse(__node, &dev->devres_head, entry) {
		f(__node);
	}

	return false;
}

static int remove_nodes(struct list_head *todo)
{
	list_for_each(node) {
		if (!grp) {
			list_move_tail(&node->entry, todo);
		}
	}
}

int devres_release_all(struct device *dev)
{
	LIST_HEAD(todo);
	int cnt;

	/* Nothing. */
	if (list_empty(&dev->devres_head))
		return 0;

	spin_lock_irqsave(lock);
	cnt = remove_nodes(&todo);
	spin_unlock_irqrestore(lock);

	release_nodes(dev, &todo);
	return cnt;
}
";

    #[test]
    fn a_release_goes_on() {
        let text = release_until_empty(DEVRES).unwrap();

        assert!(
            text.ends_with(
                "{
	int cnt = 0;

	/* The release of a resource may add others. */
	while (!list_empty(&dev->devres_head)) {
		LIST_HEAD(todo);

		spin_lock_irqsave(lock);
		cnt += remove_nodes(&todo);
		spin_unlock_irqrestore(lock);

		release_nodes(dev, &todo);
	}

	return cnt;
}
"
            ),
            "{text}"
        );
        assert!(release_until_empty(&text).is_err());
    }

    #[test]
    fn a_node_says_whether_it_is_being_released() {
        let text = remove_without_walk(DEVRES).unwrap();

        for new in [
            "	node->a = a;\n	node->releasing = false;\n}\n",
            "{\n	guard(lock)(&dev->lock);\n\n	/* A node",
            "			node->releasing = true;\n		}\n",
            "(%u bytes)",
        ] {
            assert!(text.contains(new), "{new}:\n{text}");
        }
        assert!(!text.contains("__node"));
        assert!(remove_without_walk(&text).is_err());

        let header = "\nstruct devres_node {\n	size_t				size;\n};\n";
        let header = releasing_field(header).unwrap();
        assert_eq!(header, format!("\nstruct devres_node {{\n{FIELDS}}};\n"));
        assert!(releasing_field(&header).is_err());
    }
}
