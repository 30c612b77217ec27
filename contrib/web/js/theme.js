// SPDX-License-Identifier: BSD-2-Clause
// Light, dark, or as the system has it. The style sheet asks for nothing but color-scheme.

const KEY = 'tidings-web:theme';
export const themes = ['auto', 'light', 'dark'];

export function theme() {
    const chosen = localStorage.getItem(KEY);
    return themes.includes(chosen) ? chosen : 'auto';
}

export function applyTheme() {
    document.documentElement.dataset.theme = theme();
}

export function chooseTheme(name) {
    localStorage.setItem(KEY, name);
    applyTheme();
}
