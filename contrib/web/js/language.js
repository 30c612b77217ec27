// SPDX-License-Identifier: BSD-2-Clause
// In which language a page speaks, English or Chinese, and how it says something. In a text {name} stands for a value.
import {lasting} from './storage.js';
import {isolated} from './text.js';

const LANGUAGES = ['en', 'zh'];

// texts: key -> [English, Chinese]. A key with `_one` is for a count of 1, where the language tells it apart. choiceKey: where
// the user's choice is kept. It is decided once, when the page is loaded.
export function speaker(texts, choiceKey) {
    const language = LANGUAGES.find((name) => name === lasting.getItem(choiceKey)) ??
        navigator.languages.find((l) => /^(en|zh)\b/.test(l))?.slice(0, 2) ?? 'en';
    const locale = language === 'zh' ? 'zh-CN' : 'en';
    const column = LANGUAGES.indexOf(language);
    document.documentElement.lang = locale;
    return {
        language,
        locale,
        chooseLanguage(name) {
            lasting.setItem(choiceKey, name);
            location.reload();
        },
        t(key, values = {}) {
            const single = values.count === 1 ? texts[`${key}_one`]?.[column] : null;
            return (single ?? texts[key][column]).replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? '')));
        },
        hasText(key) {
            return Object.hasOwn(texts, key);
        },
    };
}
