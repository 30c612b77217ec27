// SPDX-License-Identifier: BSD-2-Clause
// Light, dark, or as the system has it. The style sheet asks for nothing but color-scheme.

import {lasting} from './storage.js';

const KEY = 'tidings-web:theme';
export const themes = ['auto', 'light', 'dark'];

export function theme() {
    const chosen = lasting.getItem(KEY);
    return themes.includes(chosen) ? chosen : 'auto';
}

export function applyTheme() {
    document.documentElement.dataset.theme = theme();
}

export function chooseTheme(name) {
    lasting.setItem(KEY, name);
    applyTheme();
}
