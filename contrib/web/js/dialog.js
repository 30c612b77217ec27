// SPDX-License-Identifier: BSD-2-Clause
// What lies over the page: dialogs, menus and short notes. All are the browser's own (dialog, popover), so that Escape,
// focus and the click beside them do what people expect.
import {el, icon, iconButton, textButton} from './dom.js';
import {t} from './i18n.js';

let count = 0;

// Opens a dialog with that title, perhaps over another. content: nodes. It is gone when closed.
export function openDialog(title, ...content) {
    const id = `dialog-title-${++count}`;
    const heading = el('h2', {id}, title);
    const giveBack = placeInText();
    const dialog = el('dialog.dialog', {'aria-labelledby': id, onclose: () => {
        dialog.remove();
        giveBack();
    }},
        el('header', {}, heading, iconButton('close', t('dialog.close'), () => dialog.close())), ...content);
    closeBeside(dialog);
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

// The browser gives the focus back, but not the place in the text: what is typed would be lost. Returns what does.
function placeInText() {
    const field = document.activeElement;
    const {selectionStart: from = null, selectionEnd: to = null} = field ?? {};
    return () => from !== null && document.activeElement === field && field.setSelectionRange(from, to);
}

// A press beside it closes it. One that begins or ends within, on its padding too, does not: what was typed would be lost.
function closeBeside(dialog) {
    const isBeside = ({target, clientX, clientY}) => {
        const {left, right, top, bottom} = dialog.getBoundingClientRect();
        return target === dialog && (clientX < left || clientX > right || clientY < top || clientY > bottom);
    };
    let pressedBeside = false;
    dialog.addEventListener('pointerdown', (event) => {
        pressedBeside = isBeside(event);
    });
    dialog.addEventListener('click', (event) => pressedBeside && isBeside(event) && dialog.close());
}

// What is under it goes: nobody is logged in any more.
export function closeAll() {
    [...document.querySelectorAll('dialog[open]')].reverse().forEach((dialog) => dialog.close());
    document.querySelectorAll('.menu:popover-open').forEach((menu) => menu.hidePopover());
}

// Resolves to whether the user agrees. kind: the button's, danger or primary.
export function ask(text, yes, kind = 'danger') {
    return new Promise((resolve) => {
        let agreed = false;
        const agree = () => {
            agreed = true;
            dialog.close();
        };
        const dialog = el('dialog.dialog.ask', {'aria-describedby': 'ask-text', 'aria-label': yes, onclose: () => {
            dialog.remove();
            resolve(agreed);
        }},
        el('p', {id: 'ask-text', dir: 'auto'}, text),
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()),
            textButton(kind, yes, agree)));
        document.body.append(dialog);
        dialog.showModal();
    });
}

// A menu beside `beside`; the focus comes back to `anchor`. items: {label, icon, danger, act}; those that are null are left
// out. heading: a node above them, or null. quick: {label, items: [{label, text or icon, checked, act}]}, a line of short ones
// over the others, or null.
export function openMenu(anchor, label, items, beside = anchor, heading = null, quick = null) {
    const choose = (act) => {
        menu.hidePopover();
        act();
    };
    const buttons = items.filter(Boolean).map((item) =>
        el(item.danger ? 'button.danger-item' : 'button', {type: 'button', role: 'menuitem', tabindex: '-1',
            onclick: () => choose(item.act)}, icon(item.icon), item.label));
    const quickButtons = (quick?.items ?? []).map((item) => el('button', {type: 'button', role: item.checked === undefined ? 'menuitem' : 'menuitemcheckbox', tabindex: '-1',
        'aria-label': item.label, title: item.label, 'aria-checked': item.checked === undefined ? null : String(item.checked), onclick: () => choose(item.act)}, item.text ?? icon(item.icon)));
    const menu = el('div.menu', {popover: 'auto', role: 'menu', 'aria-label': label}, heading,
        quick && el('div.quick', {role: 'group', 'aria-label': quick.label}, quickButtons), buttons);
    menu.addEventListener('keydown', (event) => moveIn(quickButtons, buttons, event));
    menu.addEventListener('toggle', (event) => {
        if (event.newState === 'open')
            return;
        const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
        menu.remove();
        if (hadFocus && anchor.isConnected)
            anchor.focus({preventScroll: true});
    });
    (anchor.closest('dialog') ?? document.body).append(menu); // a dialog leaves everything outside it inert
    menu.showPopover();
    placeBeside(menu, beside.getBoundingClientRect());
    buttons[0]?.focus();
    return menu;
}

// A line of short items counts as one for up and down.
function moveIn(line, buttons, event) {
    const inLine = line.indexOf(document.activeElement);
    const stops = [...line.slice(0, 1), ...buttons];
    const at = inLine >= 0 ? 0 : stops.indexOf(document.activeElement);
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1}[event.key];
    const across = inLine < 0 ? undefined : {ArrowRight: inLine + 1, ArrowLeft: inLine - 1}[event.key];
    if (to === undefined && across === undefined) {
        if (event.key === 'Tab')
            event.currentTarget.hidePopover();
        return;
    }
    event.preventDefault();
    (across === undefined ? stops.at(to % stops.length) : line.at(across % line.length))?.focus();
}

// Under the anchor, or over it where there is no room; never past the edges.
export function placeBeside(node, at) {
    const {width, height} = node.getBoundingClientRect();
    const below = at.bottom + 4 + height <= innerHeight || at.top < height + 4;
    const top = below ? at.bottom + 4 : at.top - 4 - height;
    const left = at.left + width <= innerWidth - 8 ? at.left : at.right - width;
    node.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
    node.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
}

const NOTE_MS = 4000;

// A short note at the lower edge, read out as well.
export function say(text) {
    const place = document.getElementById('notes');
    const note = el('p.note', {}, text);
    place.append(note);
    place.hidePopover(); // and up again, so that it lies over what was opened since
    place.showPopover();
    // Under a dialog everything is inert, and not read out.
    const spoken = el('p.unseen', {role: 'alert'}, text);
    [...document.querySelectorAll('dialog[open]')].at(-1)?.append(spoken);
    setTimeout(() => [note, spoken].forEach((node) => node.remove()), NOTE_MS);
}
