// SPDX-License-Identifier: BSD-2-Clause
// Where the arrow keys lead in a grid of buttons: an element with rows (role row) of cells (role gridcell), perhaps in groups
// (role rowgroup).

// From that cell: an element, `above` where the key leads over the first row; undefined for a key that leads nowhere.
export function cellFrom(grid, cell, {key, ctrlKey}, above) {
    const row = cell.parentElement, column = [...row.children].indexOf(cell);
    const rows = [...grid.querySelectorAll('[role=row]')];
    const at = rows.indexOf(row);
    const inRow = (r) => r?.children[Math.min(column, r.children.length - 1)];
    const first = rows[0].firstElementChild, last = rows.at(-1).lastElementChild;
    const ofGroup = (group) => group?.querySelector('[role=gridcell]');
    switch (key) {
    case 'ArrowRight':
        return cell.nextElementSibling ?? rows[at + 1]?.firstElementChild ?? cell;
    case 'ArrowLeft':
        return cell.previousElementSibling ?? rows[at - 1]?.lastElementChild ?? cell;
    case 'ArrowDown':
        return inRow(rows[at + 1]) ?? cell;
    case 'ArrowUp':
        return at === 0 ? above : inRow(rows[at - 1]);
    case 'Home':
        return ctrlKey ? first : row.firstElementChild;
    case 'End':
        return ctrlKey ? last : row.lastElementChild;
    case 'PageDown':
        return ofGroup(row.parentElement.nextElementSibling) ?? last;
    case 'PageUp':
        return ofGroup(row.parentElement.previousElementSibling) ?? first;
    default:
        return undefined;
    }
}

// One of the cells is where the Tab key leads.
export function makeReachable(grid, cell) {
    grid.querySelector('[role=gridcell][tabindex="0"]')?.setAttribute('tabindex', '-1');
    cell?.setAttribute('tabindex', '0');
}
