// SPDX-License-Identifier: BSD-2-Clause
// The texts about notifications while the page is closed, sounds and newer versions, in English and Chinese; a part of those
// in i18n.js.

export const INSTALL_TEXTS = {
    'push.offer': ['Get notifications of new messages while this page is closed?', '关闭此页面后，仍要收到新消息通知吗？'],
    'push.yes': ['Turn on', '开启'],
    'push.no': ['Not now', '暂不'],
    'push.on': ['Notifications of new messages are on for this device.', '已在此设备上开启新消息通知。'],
    'push.off': ['The browser does not allow notifications. You can change that in its settings for this page.', '浏览器不允许通知，您可以在浏览器的网站设置中更改。'],
    'push.failed': ['The browser could not subscribe to notifications. Please try again later.', '浏览器无法订阅通知，请稍后再试。'],
    'settings.push': ['Notifications while this page is closed', '关闭此页面后仍接收通知'],
    'settings.sound': ['A sound for new messages', '新消息提示音'],
    'version.new': ['A newer version of this page is ready.', '此页面有新版本可用。'],
    'version.reload': ['Reload', '重新加载'],
};
