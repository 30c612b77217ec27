// SPDX-License-Identifier: BSD-2-Clause
// Makes elements. Text goes in as text nodes and nowhere else: nothing of the page is ever parsed as markup.
import {linkify} from './linkify.js';

// el('button.primary', {type: 'submit', onclick: f, 'aria-label': 'Send'}, 'text', node, null …)
// An attribute that is null, undefined or false is left out, true is an empty one.
export function el(spec, attributes, ...children) {
    const [tag, ...classes] = spec.split('.');
    const node = document.createElement(tag);
    if (classes.length > 0)
        node.className = classes.join(' ');
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (typeof value === 'function')
            node.addEventListener(name.slice(2), value);
        else if (value !== null && value !== undefined && value !== false)
            node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

const SVG = 'http://www.w3.org/2000/svg';

// One of the symbols in index.html. Always beside a text or within something that has a name.
export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg');
    const use = document.createElementNS(SVG, 'use');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    use.setAttribute('href', `#icon-${name}`);
    svg.append(use);
    return svg;
}

// One that says something by itself.
export function sign(name, label) {
    return el('span.sign', {role: 'img', 'aria-label': label, title: label}, icon(name));
}

export function iconButton(name, label, onclick, attributes) {
    return el('button.icon-button', {type: 'button', title: label, 'aria-label': label, onclick, ...attributes}, icon(name));
}

export function textButton(spec, text, onclick, attributes) {
    return el(`button.${spec}`, {type: 'button', onclick, ...attributes}, text);
}

// Only these may become an address that is loaded or followed; null otherwise.
export function webUrl(text) {
    try {
        const url = new URL(text);
        return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
    } catch {
        return null;
    }
}

export function externalLink(url, attributes, ...children) {
    return el('a', {href: url, target: '_blank', rel: 'noopener noreferrer', ...attributes}, ...children);
}

// What a person wrote, among other words: whichever way it runs, it does not disturb them.
export function bdi(text) {
    return el('bdi', {}, text);
}

// A text as nodes, with its web addresses as links. A link that does not say where it leads is followed by that. mark(text)
// makes nodes of what is no link, label(text) of what a link says; both in the order of the text.
export function linked(text, mark = (part) => part, label = (part) => part) {
    return linkify(text).map((part) => (typeof part === 'string' ? mark(part) :
        [externalLink(part.url, {dir: 'ltr'}, label(part.text)), part.host !== null && el('small.host', {dir: 'ltr'}, ` (${part.host})`)]));
}

// What a person wrote, in one line. Where there is no room, '…' replaces its own end, also if it runs from right to left.
// A <bdi> inside would not do: it does not change the direction of the element that cuts the text.
export function cutOff(spec, text) {
    return el(`${spec}.cut-off`, {dir: 'auto'}, text);
}

// Makes what is shown follow `items`: nodes whose key stays are kept (and so are focus and scroll), and made anew only
// where the version differs.
export class KeyedList {
    #parent;
    #make;
    #refresh;
    #shown = new Map(); // key -> {version, detail, node}

    // make(item) returns a node. refresh(node, item): the detail of a node that stays is another.
    constructor(parent, make, refresh = null) {
        this.#parent = parent;
        this.#make = make;
        this.#refresh = refresh;
    }

    // items: [{key, version, detail, …}]
    show(items) {
        const keys = new Set(items.map((item) => item.key));
        for (const [key, {node}] of this.#shown) {
            if (!keys.has(key)) {
                node.remove();
                this.#shown.delete(key);
            }
        }
        let at = this.#parent.firstElementChild;
        for (const item of items) {
            const old = this.#shown.get(item.key);
            const node = old?.version === item.version ? old.node : this.#make(item);
            if (old && old.node !== node) {
                if (at === old.node)
                    at = node;
                keepingFocus(old.node, node, () => old.node.replaceWith(node));
            }
            if (old?.node === node && old.detail !== item.detail)
                this.#refresh?.(node, item);
            this.#shown.set(item.key, {version: item.version, detail: item.detail, node});
            if (node === at)
                at = at.nextElementSibling;
            else
                keepingFocus(node, node, () => this.#parent.insertBefore(node, at));
        }
    }

    nodeOf(key) {
        return this.#shown.get(key)?.node ?? null;
    }
}

// An element that is moved or replaced loses the focus.
function keepingFocus(from, to, change) {
    const hadFocus = from.contains(document.activeElement);
    change();
    if (hadFocus && !to.contains(document.activeElement))
        (to.matches('[tabindex], a, button') ? to : to.querySelector('a, button'))?.focus({preventScroll: true});
}
