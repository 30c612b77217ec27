# SPDX-License-Identifier: BSD-2-Clause
# Proves the ticks of the chat page: stored, delivered and read look different without colours and have their words for
# screen readers, in both languages; they come as things happen and after an absence, and never go back.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));

# Of each of one's own messages: the icon and the words.
my $ticks = q{[...document.querySelectorAll('.message.own .ticks')].map((e) => `${e.querySelector('use').getAttribute('href')} ${e.role ?? e.getAttribute('role')} ${e.getAttribute('aria-label')} ${e.title}`)};
sub tick { my ($icon, $words) = @_; return "#icon-$icon img $words $words" }
my ($sent, $delivered, $read) = (tick('check', 'Sent'), tick('checks', 'Delivered'), tick('seen', 'Read'));
# Of the conversation in the list, too.
my $listed = q{(() => { const e = document.querySelector('.chat[data-user=ben] .preview .ticks'); return e && `${e.querySelector('use').getAttribute('href')} ${e.getAttribute('role')} ${e.getAttribute('aria-label')} ${e.title}`; })()};
sub lists { my ($page, $want, $name) = @_; $page->wait_value("$listed === '$want'"); return pass $name }
sub sees { my ($page, $want, $name) = @_; $page->wait_value("JSON.stringify($ticks) === '" . JSON::PP->new->encode($want) . "'"); return pass $name }

my $ann = $web->enter('ann');
$ann->click('#tab-friends')->click('[data-user=ben] a');
$ann->say_text('one')->wait_last('one');
sees($ann, [$sent], 'stored, while the other one is away');
lists($ann, $sent, 'in the list of conversations, too');
my ($id) = map { $_->{id} } @{$t->api('ann')->get('/messages/conversations')->json->{items}};

my $ben = $web->enter('ben');
$ben->wait_text('.chat[data-user=ann] .badge', '1');
sees($ann, [$delivered], 'delivered, once their page has it');
lists($ann, $delivered, 'in the list, too');
is $ann->value(q{document.querySelectorAll('.message.own .ticks .icon').length}), 1, 'one icon';
$ann->say_text('two')->wait_last('two');
sees($ann, [$delivered, $delivered], 'delivered at once, while they are there');
$ann->reload->wait_online->open_chat('ben')->wait_last('two');
sees($ann, [$delivered, $delivered], 'also on a page that comes later');

$ben->open_chat('ann')->wait_last('two');
sees($ann, [$read, $read], 'read');
lists($ann, $read, 'in the list, too');
$ben->close;
wait_for('ben to be gone', sub { !grep { /ben/ } $t->node->ctl_ok('sessions', 'ben') });
$ann->say_text('three')->wait_last('three');
sees($ann, [$read, $read, $sent], 'what comes later is stored alone');
my $other = $t->ws('ben');
lists($ann, $sent, 'in the list, too');
$other->send_json({type => 'delivered', conversation_id => $id, up_to_seq => 3});
sees($ann, [$read, $read, $delivered], 'as the other side says');

my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
$phone->open_chat('ben')->wait_last('three');
$t->send_text('ben', 'ann', 'mine');
$ann->wait_last('mine')->wait_value("$listed === null");
pass 'what the other side says last has none in the list';
sees($phone, [(tick('seen', "\x{5df2}\x{8bfb}")) x 2, tick('checks', "\x{5df2}\x{9001}\x{8fbe}")], 'in Chinese');

my $group = $web->group('Walkers', 'ann', ['ben']);
$ann->open_group($group)->say_text('to all')->wait_last('to all');
$other->settle;
sees($ann, [$sent], 'in a group nothing is delivered');

is_deeply [map { $_->own_faults } $ann, $phone], [], 'and no faults';
$web->stop;
done_testing;
