// SPDX-License-Identifier: BSD-2-Clause
// Up and down through a list with the arrow keys: its rows, and the field above it.

// nodes: from top to bottom. True where the key was for this.
export function walkBy(event, nodes) {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey)
        return false;
    const at = nodes.indexOf(event.target);
    const to = nodes[at + step];
    if (at < 0 || to === undefined)
        return false;
    to.focus();
    to.scrollIntoView?.({block: 'nearest'});
    return true;
}
