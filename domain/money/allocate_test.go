package money_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
)

func amountsOf(c money.Currency, minors []int64) []money.Amount {
	amounts := make([]money.Amount, len(minors))
	for i, m := range minors {
		amounts[i] = money.New(m, c)
	}
	return amounts
}

func TestAllocate(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	for _, c := range []struct {
		minor         int64
		weights, want []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{101, []int64{1, 1, 1}, []int64{34, 34, 33}},
		{5, []int64{3, 7}, []int64{2, 3}}, // 1.5 and 3.5: equal, the earlier first
		{1, []int64{1, 2, 3}, []int64{0, 0, 1}},
		{0, []int64{1, 2}, []int64{0, 0}},
		{10, []int64{0, 5, 0}, []int64{0, 10, 0}},
		{10, []int64{3, -1}, []int64{15, -5}},
		{10, []int64{-1, -1}, []int64{5, 5}},
		{math.MinInt64, []int64{1}, []int64{math.MinInt64}},
		{math.MaxInt64, []int64{math.MaxInt64 - 1, 1}, []int64{math.MaxInt64 - 1, 1}},
	} {
		got, err := money.New(c.minor, gbp).Allocate(c.weights)
		if err != nil || !slices.Equal(got, amountsOf(gbp, c.want)) {
			t.Errorf("%d by %v = %v, %v; want %v", c.minor, c.weights, got, err, c.want)
		}
	}
	ten := money.New(10, gbp)
	for _, weights := range [][]int64{nil, {0, 0}, {1, -1}} {
		_, err := ten.Allocate(weights)
		checkFailure(t, "weights of zero", err, money.ErrDivision, "division-by-zero")
	}
	_, err := ten.Allocate([]int64{math.MaxInt64, 1})
	checkFailure(t, "large weights", err, money.ErrOverflow, "amount-overflow")
	_, err = money.New(math.MaxInt64, gbp).Allocate([]int64{5, -4})
	checkFailure(t, "a large part", err, money.ErrOverflow, "amount-overflow")
}

// nearShare fails unless part is less than one unit from the exact share.
func nearShare(t *rapid.T, part money.Amount, exact *big.Rat) {
	t.Helper()
	off := new(big.Rat).Sub(new(big.Rat).SetInt64(part.Minor()), exact)
	if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
		t.Fatalf("%d is a unit or more from its share %s", part.Minor(), exact.FloatString(3))
	}
}

func TestAllocateSumsExactly(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64Range(-1e12, 1e12).Draw(t, "minor"), gbp)
		weights := rapid.SliceOfN(rapid.OneOf(
			rapid.Int64Range(0, 9), rapid.Int64Range(0, 1e9), rapid.Int64Range(-5, 5),
		), 1, 40).Draw(t, "weights")
		total := int64(0)
		for _, w := range weights {
			total += w
		}
		if total == 0 {
			return
		}
		parts, err := a.Allocate(weights)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if sum, err := money.Sum(gbp, parts...); err != nil || sum != a {
			t.Fatalf("the parts of %s sum to %s, %v", a, sum, err)
		}
		for i, part := range parts {
			exact := big.NewRat(a.Minor(), total)
			nearShare(t, part, exact.Mul(exact, big.NewRat(weights[i], 1)))
		}
		opposite, err := a.Neg()
		if err != nil {
			t.Fatalf("%v", err)
		}
		checkMirrored(t, parts, func() ([]money.Amount, error) { return opposite.Allocate(weights) })
	})
}

// checkMirrored fails unless the other parts are the negated ones.
func checkMirrored(t *rapid.T, parts []money.Amount, other func() ([]money.Amount, error)) {
	t.Helper()
	mirrored, err := other()
	if err != nil || len(mirrored) != len(parts) {
		t.Fatalf("mirrored: %v, %v", mirrored, err)
	}
	for i := range parts {
		if mirrored[i].Minor() != -parts[i].Minor() {
			t.Fatalf("part %d is %s, mirrored %s", i, parts[i], mirrored[i])
		}
	}
}

func TestNetsWithin(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	for _, c := range []struct {
		gross   []int64
		percent string
		want    []int64
		tax     int64
	}{
		{[]int64{12000}, "20", []int64{10000}, 2000},
		{[]int64{999, 999, 999}, "20", []int64{833, 832, 832}, 500}, // tax 499.5
		{[]int64{1000, 1000, -2000}, "20", []int64{833, 833, -1666}, 0},
		{[]int64{12000, -12000}, "20", []int64{10000, -10000}, 0},
		{[]int64{500, 700}, "0", []int64{500, 700}, 0},
		{[]int64{}, "20", []int64{}, 0},
	} {
		nets, tax, err := money.NetsWithin(gbp, amountsOf(gbp, c.gross), decimal(t, c.percent), money.HalfUp)
		if err != nil || !slices.Equal(nets, amountsOf(gbp, c.want)) || tax != money.New(c.tax, gbp) {
			t.Errorf("%v with %s %% within = %v, %s, %v; want %v, %d", c.gross, c.percent, nets, tax, err, c.want, c.tax)
		}
	}
	one := []money.Amount{money.New(1, gbp)}
	for _, percent := range []string{"-100", "-100.5"} {
		_, _, err := money.NetsWithin(gbp, one, decimal(t, percent), money.HalfUp)
		checkFailure(t, percent, err, money.ErrDivision, "division-by-zero")
	}
	_, _, err := money.NetsWithin(gbp, []money.Amount{amount(t, "1", "EUR")}, decimal(t, "20"), money.HalfUp)
	checkFailure(t, "mixed", err, money.ErrCurrency, "mixed-currencies")
}

func TestNetsWithinNeverDrift(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	rapid.Check(t, func(t *rapid.T) {
		gross := amountsOf(gbp, rapid.SliceOfN(rapid.OneOf(
			rapid.Int64Range(-60, 60), rapid.Int64Range(-1e12, 1e12),
		), 0, 40).Draw(t, "gross"))
		percent := rapid.SampledFrom([]string{"20", "19", "7", "5.5", "2.1", "0", "100", "0.000000000001"}).Draw(t, "percent")
		rate := decimal(t, percent)
		nets, tax, err := money.NetsWithin(gbp, gross, rate, money.HalfUp)
		if err != nil {
			t.Fatalf("%v", err)
		}
		total, err := money.Sum(gbp, gross...)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if sum, err := money.Sum(gbp, append(slices.Clone(nets), tax)...); err != nil || sum != total {
			t.Fatalf("nets and tax sum to %s, %v; want %s", sum, err, total)
		}
		if once, err := money.TaxWithin(total, rate, money.HalfUp); err != nil || once != tax {
			t.Fatalf("tax %s, of the sum %s, %v", tax, once, err)
		}
		hundredth, _ := new(big.Rat).SetString(percent)
		hundredth.Add(hundredth, big.NewRat(100, 1)).Quo(hundredth, big.NewRat(100, 1))
		for i, net := range nets {
			nearShare(t, net, new(big.Rat).Quo(big.NewRat(gross[i].Minor(), 1), hundredth))
		}
		mirror := make([]money.Amount, len(gross))
		for i, g := range gross {
			mirror[i] = money.New(-g.Minor(), gbp)
		}
		checkMirrored(t, nets, func() ([]money.Amount, error) {
			nets, _, err := money.NetsWithin(gbp, mirror, rate, money.HalfUp)
			return nets, err
		})
	})
}
