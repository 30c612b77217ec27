# SPDX-License-Identifier: BSD-2-Clause
# Proves that many who only trickle their files keep nobody out of a worker: the slowest goes, others go on.
use Tidings;

my $dir = Tidings::dir();
mkdir "$dir/media" or die "$dir/media: $!\n";
my $t = Tidings->start(workers => 1, conf => {media => {directory => "$dir/media"}, limits => {requests_per_second => 0}});
my ($places, $each) = (1024, 16); # UPLOADS_MAX, UPLOADS_OF_USER_MAX
my $half = 'h' x 500_000;

sub begin {
	my ($http, $bytes, $size) = @_;
	$http->raw($http->render('POST', '/media?name=f.txt', headers => ['Content-Type', 'text/plain', 'Content-Length', $size], body => $bytes));
	return $http;
}
sub rows { return $t->dbh->selectrow_array('SELECT COUNT(*) FROM media WHERE state = 0') }

my $quick = begin($t->http('ann'), $half, 2 * length $half);
wait_for('the one that goes on', sub { rows() == 1 });
my @trickling;
while (@trickling < $places - 1) {
	push @trickling, begin($t->http('user' . int @trickling / $each), 'x', 1_000_000);
	wait_for('its place', sub { rows() == 1 + @trickling }) if @trickling % 64 == 0;
}
wait_for('no place to be left', sub { rows() == $places });

my $late = $t->http('bob');
my ($refused, $r) = (0);
wait_for('a place', sub { $r = $late->request('POST', '/media?name=late.txt', headers => ['Content-Type', 'text/plain'], body => 'late'); $refused += $r->status == 503; $r->status == 201 });
cmp_ok $refused, '>', 0, 'there was no place at once';
my @gone = grep { Tidings::HTTP::can_read($_->socket, 0) } @trickling;
cmp_ok scalar @gone, '>', 0, 'one that trickled has made room';
is $gone[0]->response->status, 503, 'and is told so';
$quick->raw($half);
is $quick->response->status, 201, 'one that goes on goes on';

$t->stop;
done_testing;
