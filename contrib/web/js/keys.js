// SPDX-License-Identifier: BSD-2-Clause
// The page's keys: Ctrl and a letter, or Command on a Mac, where Ctrl is for moving in a text.

const isMac = /^(Mac|iP)/.test(globalThis.navigator?.platform ?? '');

export function isShortcut(event, letter) {
    const held = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    return held && !event.altKey && !event.shiftKey && !event.isComposing && event.key.toLowerCase() === letter;
}

// As it is written in a title, and as aria-keyshortcuts has it.
export function shortcutName(letter) {
    return isMac ? `⌘${letter.toUpperCase()}` : `Ctrl+${letter.toUpperCase()}`;
}

export function shortcutAria(letter) {
    return `${isMac ? 'Meta' : 'Control'}+${letter.toUpperCase()}`;
}
